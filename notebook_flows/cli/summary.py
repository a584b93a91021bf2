"""What is said when a run has ended: how, what failed and where, what is where, and how to see more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from notebook_flows.cli import screen
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.table import told_counts
from notebook_flows.views.text import counted, printable, shortened, told_duration
from notebook_flows.views.tracebacks import LONGEST_LINE, error_lines, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from notebook_flows.cli.watch import Change, Watch

MOST_SHOWN = 4


class Failed(NamedTuple):
    """A task run, or a cell, that failed.

    Attributes:
        where: as people look for it: file and line, or the cell.
        code: the line of source.
        error: the error's last lines.
    """

    name: str
    state: S
    attempt: int
    seconds: float | None
    where: str
    code: str
    error: Sequence[str]


class Ending(NamedTuple):
    """A run that has ended.

    Attributes:
        failed_count: how many failed by themselves; ``failed`` may have only the first.
        kept: {what: where it is}: history, output, picture.
        more: commands that show more.
    """

    name: str
    state: S
    message: str
    seconds: float
    counts: Mapping[S, int]
    failed: Sequence[Failed]
    failed_count: int
    kept: Mapping[str, str]
    more: Sequence[str]


def ending_of(watch: Watch, name: str, kept: Mapping[str, str], more: Sequence[str]) -> Ending:
    """What is told at the end of a run that was watched."""
    return Ending(
        name=name,
        state=watch.state,
        message=watch.message,
        seconds=watch.seconds,
        counts=watch.counts(),
        failed=[failed_from(change) for change in watch.failures],
        failed_count=watch.failure_count,
        kept=kept,
        more=more,
    )


def failed_from(change: Change) -> Failed:
    """A failure, as it is told at the end."""
    traceback = str(change.data.get("traceback") or "")
    place = place_of(traceback)
    is_told = change.state is S.TIMED_OUT or not traceback  # what ends a task whose time is up is an error of ours
    lines = [change.message or facts_of(change.state).word] if is_told else error_lines(traceback)
    return Failed(change.name, change.state, change.attempt, change.seconds, place.where, place.code, lines)


def tell_ending(console: Console, ending: Ending) -> None:
    """Print it."""

    def say(text: Text) -> None:
        console.print(
            Text(screen.carried(text.plain, console.encoding), spans=text.spans, style=text.style), soft_wrap=True
        )

    say(_headline(ending, console.encoding))
    for one in ending.failed[:MOST_SHOWN]:
        say(Text())
        for line in _failure(one, console.encoding):
            say(line)
    left = ending.failed_count - min(len(ending.failed), MOST_SHOWN)
    if left > 0:
        say(Text(f"\n  and {counted(left, 'more failure')}.", style="dim"))
    if ending.kept or ending.more:
        say(Text())
    width = max(map(len, [*ending.kept, "More"]), default=0)
    for what, where in ending.kept.items():
        say(Text.assemble((f"{what:<{width}}  ", "dim"), where))
    for number, command in enumerate(ending.more):
        say(Text.assemble((f"{'' if number else 'More':<{width}}  ", "dim"), (command, "cyan")))


def _headline(ending: Ending, encoding: str) -> Text:
    text = screen.glyph(ending.state, encoding)
    name = printable(ending.name)
    text.append(f" {name} {screen.ended(ending.state)} ", style="bold").append(
        f"after {told_duration(ending.seconds)}", "default"
    )
    text.append(f": {told_counts(ending.counts)}." if ending.counts else ".", "default")
    news = _news(ending)
    return text.append(f" {printable(news)}", "default") if news else text


def _news(ending: Ending) -> str:
    """What the run's message says and the failures, which are told below it, do not."""
    lines = [line for one in ending.failed for line in one.error]
    if ending.state is S.SUCCESS or ending.message in lines:
        return ""
    if ending.state is not S.FAILED or not ending.failed_count:
        return ending.message
    beyond = [ending.message.rpartition(line)[2] for line in lines if line and line in ending.message]
    return min(beyond, key=len, default="").lstrip(". ")  # as that the output notebook could not be saved, either


def _failure(one: Failed, encoding: str) -> list[Text]:
    head = Text("  ").append_text(screen.glyph(one.state, encoding)).append(f" {printable(one.name)}", style="bold")
    facts = [facts_of(one.state).word] if one.state is not S.FAILED else []
    facts += [f"attempt {one.attempt}"] if one.attempt > 1 else []
    facts += [f"after {told_duration(one.seconds)}"] if one.seconds is not None else []
    if facts:
        head.append(f"  {', '.join(facts)}", style="dim")
    lines = [head]
    if one.where:
        lines.append(Text(f"    {one.where}", style="dim"))
    if one.code:
        lines.append(Text(f"      {shortened(printable(one.code), LONGEST_LINE)}"))
    lines.extend(Text(f"    {text}", style="red") for text in one.error)
    return lines
