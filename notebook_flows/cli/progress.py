"""How a run goes, while it goes: drawn anew on a terminal, line by line elsewhere."""

from __future__ import annotations

import builtins
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from notebook_flows.cli import screen
from notebook_flows.cli.times import clock, stop_watch
from notebook_flows.cli.tracebacks import error_lines
from notebook_flows.cli.watch import MOST_LISTED
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S, facts_of
from notebook_flows.views.table import GRAVITY
from notebook_flows.views.text import columns_of, counted, padded, printable, shortened, told_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from notebook_flows.cli.watch import Change, Watch

REDRAWS_PER_S = 8
MOST_RUNNING_SHOWN = 8
COUNTS_EVERY_S = 5.0
"""How often a run of many tasks is told where nothing can be drawn anew."""
STILL_RUNNING_EVERY_S = 30.0
"""How often a task that runs is told where nothing can be drawn anew; what takes less is told when it has ended."""
MOST_FAILURES_TOLD = 20
LONGEST_LINE = 200
NAME_COLUMNS = 36
AGAIN = "Ctrl-C again ends it at once."


class Nothing:
    """Shows nothing: ``--quiet``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell nobody."""

    def say_stopping(self) -> None:
        """Say nothing."""


class _Lines:
    """The lines that stay: one for each task run that ends, as long as there are not too many."""

    def __init__(self, console: Console, watch: Watch) -> None:
        self.console = console
        self.watch = watch
        self._failures = 0

    def is_worth_a_line(self, change: Change) -> bool:
        """Whether this change is told by itself."""
        run = self.watch.run
        if run is not None and len(run.state) <= MOST_LISTED:
            return True
        if not IS_FAILED[change.state] or change.state in {S.UPSTREAM_FAILED, S.NOT_RUN}:
            return False
        self._failures += 1
        if self._failures == MOST_FAILURES_TOLD + 1:
            self.console.print(Text("More failures are only counted.", style="dim"))
        return self._failures <= MOST_FAILURES_TOLD

    def line(self, change: Change) -> Text:
        """Glyph, name, duration or state, and what went wrong."""
        encoding = self.console.encoding
        text = screen.glyph(change.state, encoding)
        columns = min(NAME_COLUMNS, self.console.width // 3)
        text.append(f" {padded(shortened(printable(change.name), columns), columns)} ", style="default")
        time_taken = "" if change.seconds is None else told_duration(change.seconds)
        is_plain = change.state in {S.SUCCESS, S.RUNNING} and time_taken
        text.append(
            time_taken if is_plain else "  ".join(filter(None, [time_taken.ljust(6), facts_of(change.state).word]))
        )
        said = told_of(change)
        if said:
            room = max(min(self.console.width, LONGEST_LINE) - columns_of(text.plain) - 3, 20)
            text.append("  " + shortened(said, room), style="dim")
        return Text(screen.carried(text.plain, encoding), spans=text.spans, style=text.style)


def told_of(change: Change) -> str:
    """What is worth telling besides the state: the error, or why nothing was tried."""
    if change.state is S.TIMED_OUT:
        return printable(change.message)
    error = error_lines(str(change.data.get("traceback") or ""))
    if error:
        return error[0]
    if change.state in {S.SUCCESS, S.RUNNING}:
        return ""
    return printable(change.message)


class Plain(_Lines):
    """Lines with the time of day: for files, pipes and continuous integration."""

    def __init__(self, console: Console, watch: Watch) -> None:
        super().__init__(console, watch)
        self._told_s = time.monotonic()
        self._has_ended = threading.Event()
        self._teller = threading.Thread(target=self._tell_now_and_then, name="notebook_flows progress", daemon=True)

    def __enter__(self) -> Self:
        self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._teller.join()

    def _tell_now_and_then(self) -> None:
        while not self._has_ended.wait(STILL_RUNNING_EVERY_S):
            self.tell_running(time.time_ns() // 1000)

    def tell_running(self, now_us: int) -> None:
        """A line for each task that has run for long, so that nobody takes it for dead; of a large run the counts are told."""
        run = self.watch.run
        if run is None or len(run.state) > MOST_LISTED:
            return
        for name, since_us in self.watch.outlook(MOST_RUNNING_SHOWN).running:
            seconds = (now_us - since_us) / 1e6
            if seconds < STILL_RUNNING_EVERY_S:
                continue
            text = Text(f"{clock(now_us)}  ", style="dim").append_text(screen.glyph(S.RUNNING, self.console.encoding))
            text.append(f" {printable(name)}  running for {told_duration(seconds)}", style="default")
            self.console.print(
                Text(screen.carried(text.plain, self.console.encoding), spans=text.spans), soft_wrap=True
            )

    def say_stopping(self) -> None:
        """Say that the run begins to stop; in a signal handler, so past all buffers."""
        os.write(2, f"Stopping. {AGAIN}\n".encode())

    def tell(self, changes: Sequence[Change]) -> None:
        """One line for each task run that has ended, or is tried again; of a large run the counts, now and then."""
        for change in changes:
            if change.state is not S.RUNNING and self.is_worth_a_line(change):
                line = Text(f"{clock(change.at_us)}  ", style="dim")
                self.console.print(line.append_text(self.line(change)), soft_wrap=True)
        run = self.watch.run
        now_s = time.monotonic()
        if run is not None and len(run.state) > MOST_LISTED and now_s - self._told_s >= COUNTS_EVERY_S:
            self._told_s = now_s
            outlook = self.watch.outlook(0)
            counts = _counts(outlook.counts, self.console.encoding)
            now = clock(time.time_ns() // 1000)
            self.console.print(Text.assemble((f"{now}  ", "dim"), f"{outlook.done:,} of {outlook.total:,}  ", counts))


class Drawn(_Lines):
    """A picture of a few lines at the bottom of the terminal, whatever the size of the run."""

    def __init__(self, console: Console, watch: Watch, title: str) -> None:
        super().__init__(console, watch)
        self._title = printable(title)
        self._is_stopping = False
        self._ask: Any = None
        self._live = Live(
            console=console,
            get_renderable=self._drawing,
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            redirect_stdout=screen.is_terminal(sys.stdout),  # what goes to a file must not end up here
        )

    def __enter__(self) -> Self:
        self._live.start()
        self._ask, builtins.input = builtins.input, self._input  # else the question would be drawn over
        return self

    def __exit__(self, *_: object) -> None:
        builtins.input = self._ask
        self._live.stop()

    def _input(self, prompt: object = "", /) -> str:
        self._live.stop()
        try:
            answer: str = self._ask(prompt)
        finally:
            self._live.start()
        return answer

    def say_stopping(self) -> None:
        """Say, at the next drawing, that the run begins to stop."""
        self._is_stopping = True

    def tell(self, changes: Sequence[Change]) -> None:
        """A line that stays for each task run that has ended, above the picture."""
        lines = [
            self.line(change)
            for change in changes
            if (IS_FINAL[change.state] or change.state is S.RETRYING) and self.is_worth_a_line(change)
        ]
        if lines:
            self.console.print(Group(*lines), no_wrap=True, overflow="ellipsis", crop=True)

    def _drawing(self) -> RenderableType:
        console, watch = self.console, self.watch
        room = max(min(MOST_RUNNING_SHOWN, console.height - 5), 0)
        outlook = watch.outlook(room)
        now_us = time.time_ns() // 1000
        elapsed_s = 0.0 if watch.began_us is None else (now_us - watch.began_us) / 1e6
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        head.add_column(justify="right", no_wrap=True)
        head.add_column(justify="right", no_wrap=True)
        done = f"{outlook.done:,} of {counted(outlook.total, 'task')}"
        head.add_row(Text(screen.carried(self._title, console.encoding), style="bold"), done, stop_watch(elapsed_s))
        bar = Table.grid(expand=True)
        bar.add_row(ProgressBar(total=max(outlook.total, 1), completed=outlook.done))
        parts: list[RenderableType] = [head, bar, _counts(outlook.counts, console.encoding)]
        for name, since_us in outlook.running:
            seconds = stop_watch((now_us - since_us) / 1e6)
            line = Text("  ").append_text(screen.glyph(S.RUNNING, console.encoding))
            line.append(f" {shortened(printable(name), max(console.width - 16, 10))}").append(
                f"  {seconds}", style="dim"
            )
            parts.append(Text(screen.carried(line.plain, console.encoding), spans=line.spans))
        if outlook.running_count > len(outlook.running) > 0:
            more = outlook.running_count - len(outlook.running)
            parts.append(Text(f"    and {more:,} more", style="dim"))
        if self._is_stopping or outlook.stopping:
            parts.append(Text(" ".join(filter(None, ["Stopping.", outlook.stopping, AGAIN])), style="bold yellow"))
        return Group(*parts)


def _counts(counts: Any, encoding: str) -> Text:
    """Counts in one line, what people want to know first at the left."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for state in GRAVITY:
        if counts.get(state):
            text.append("  " if text else "")
            text.append(
                f"{screen.glyph(state, encoding).plain} {counts[state]:,} {facts_of(state).word}",
                screen.style_of(state),
            )
    return text


def view_for(watch: Watch, title: str, *, is_quiet: bool) -> Nothing | Plain | Drawn:
    """The view that suits where we are."""
    if is_quiet:
        return Nothing()
    console = screen.stderr()
    return Drawn(console, watch, title) if screen.can_redraw(console) else Plain(console, watch)
