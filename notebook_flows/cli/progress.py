"""How a run goes, while it goes: drawn anew on a terminal, line by line elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from rich.text import Text

from notebook_flows.cli import screen
from notebook_flows.cli.times import clock
from notebook_flows.cli.watch import MOST_LISTED
from notebook_flows.core.lifecycle import IS_FAILED, S, facts_of
from notebook_flows.views.livetree import LiveTree
from notebook_flows.views.runview import reason_of
from notebook_flows.views.styled import plain, style_of
from notebook_flows.views.table import GRAVITY
from notebook_flows.views.text import columns_of, padded, printable, shortened, told_duration
from notebook_flows.views.treelines import told_badly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from notebook_flows.cli.watch import Change, Watch
    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run

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

    def hear(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell nobody."""

    def say_stopping(self) -> None:
        """Say nothing."""


class Plain:
    """Lines with the time of day: for files, pipes and continuous integration."""

    def __init__(self, console: Console, watch: Watch) -> None:
        self.console = console
        self.watch = watch
        self._failures = 0
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

    def hear(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""

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
        state, word = self._as_told(change)
        text = screen.glyph(state, encoding)
        columns = min(NAME_COLUMNS, self.console.width // 3)
        text.append(f" {padded(shortened(printable(change.name), columns), columns)} ", style="default")
        time_taken = "" if change.seconds is None else told_duration(change.seconds)
        is_plain = change.state in {S.SUCCESS, S.RUNNING} and time_taken
        text.append(time_taken if is_plain else "  ".join(filter(None, [time_taken.ljust(6), word])))
        said = reason_of(change.state, change.data)
        if said:
            room = max(min(self.console.width, LONGEST_LINE) - columns_of(text.plain) - 3, 20)
            text.append("  " + shortened(said, room), style="dim")
        return Text(screen.carried(text.plain, encoding), spans=text.spans, style=text.style)

    def _as_told(self, change: Change) -> tuple[S, str]:
        """Its state and a word for it; a mapped task has ended as its children have."""
        run = self.watch.run
        if change.state is S.MAPPED and run is not None and change.node in run.children:
            first, width = run.children[change.node]
            counts = Counter(run.state[first : first + width])
            gravest = next((state for state in GRAVITY if counts[state]), change.state)
            if IS_FAILED[gravest]:
                return gravest, plain(told_badly(counts, width))
        return change.state, facts_of(change.state).word


class Drawn:
    """A live tree at the bottom of the terminal; what anybody prints scrolls by above it."""

    def __init__(self, tree: LiveTree) -> None:
        self.tree = tree

    def __enter__(self) -> Self:
        self.tree.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.tree.__exit__()

    def hear(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        self.tree(run, events)

    def tell(self, changes: Sequence[Change]) -> None:
        """The tree shows them."""

    def say_stopping(self) -> None:
        """Say, in the next frame, that the run begins to stop."""
        self.tree.note = f"Stopping. {AGAIN}"


def _counts(counts: Any, encoding: str) -> Text:
    """Counts in one line, what people want to know first at the left."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for state in GRAVITY:
        if counts.get(state):
            text.append("  " if text else "")
            text.append(
                f"{screen.glyph(state, encoding).plain} {counts[state]:,} {facts_of(state).word}",
                style_of(state),
            )
    return text


def view_for(
    watch: Watch,
    title: str,
    *,
    is_quiet: bool,
    medians: Callable[[], Mapping[int, float]] = dict,
    unit: str = "task",
    leaves_tree: bool = True,
) -> Nothing | Plain | Drawn:
    """The view that suits where we are.

    Args:
        watch: of the run.
        title: of the run.
        is_quiet: nothing is to be shown.
        medians: asked, where that is shown, how long the tasks took earlier: {task's number: seconds}.
        unit: what the tasks are called.
        leaves_tree: the tree stays when all has ended; else something else tells it.
    """
    if is_quiet:
        return Nothing()
    console = screen.stderr()
    if not screen.can_redraw(console):
        return Plain(console, watch)
    return Drawn(
        LiveTree(
            sys.stderr.fileno(),
            title,
            hidden=watch.hidden,
            medians=medians(),
            inside=watch.inside,
            encoding=console.encoding,
            unit=unit,
            leaves_tree=leaves_tree,
            gap="\n",
        )
    )
