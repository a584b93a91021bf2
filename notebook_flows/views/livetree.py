"""The live tree: shows on a terminal how a run goes, at its bottom, and leaves the tree as it was at the end."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Self

from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL
from notebook_flows.views.pinned import Pinned, most_lines
from notebook_flows.views.remaining import left_of
from notebook_flows.views.runview import RunView
from notebook_flows.views.styled import fitting, painted
from notebook_flows.views.text import counted, printable, stop_watch
from notebook_flows.views.treelines import TreeLines, bar, heading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run
    from notebook_flows.views.treelines import Inside, Line

FRAME_S = 0.125
"""At least so far apart are two frames."""
SHARE = 60
"""Drawing takes no more than one part in so many of the time."""
FIRST_FRAME_S = 0.2
"""What takes less time than this is not drawn before it has ended."""
ASLEEP_S = 2.0
"""No frame for so long: the process was stopped, and others have had the terminal meanwhile."""
LEFT_EVERY_S = 1.0
MOST_AT_THE_END = 100
"""Of a larger run only what did not end well stays, as far as there is room for it."""
LARGE_AT_THE_END = 30
RESERVED = 2
"""Lines for how far it is."""


def wants_colours(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether anything may be coloured: see no-color.org.

    >>> wants_colours({}), wants_colours({"NO_COLOR": "1"})
    (True, False)
    """
    return not environment.get("NO_COLOR")


class LiveTree:
    """Shows a run while inside; an observer of it.

    Args:
        fd: a file descriptor of the terminal.
        title: of the run.
        hidden: tasks that are only shown if they fail.
        medians: {task's number: how long it took earlier, in seconds}.
        inside: {task's number: how far what it runs is}; any thread may write there.
        encoding: of the terminal.
        unit: what the tasks are called.
        leaves_tree: it stays when all has ended.
        gap: what follows it then.

    Attributes:
        note: what stands in a line of its own, such as that the run is being stopped.
    """

    def __init__(
        self,
        fd: int,
        title: str,
        *,
        hidden: Collection[int] = (),
        medians: Mapping[int, float] | None = None,
        inside: Mapping[int, Inside] | None = None,
        encoding: str = "utf-8",
        unit: str = "task",
        leaves_tree: bool = True,
        gap: str = "",
    ) -> None:
        self.view = RunView(hidden)
        self.note = ""
        self._fd = fd
        self._title = printable(title)
        self._medians = medians or {}
        self._unit = unit
        self._leaves_tree = leaves_tree
        self._gap = gap
        self._lines = TreeLines(self.view, {} if inside is None else inside, encoding, unit)
        self._pinned = Pinned(fd)
        self._has_colours = wants_colours()
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._left = ("", float("-inf"))
        self._frame_at_s = time.monotonic()
        self._thread = threading.Thread(target=self._draw, name="notebook_flows live tree", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._drawing:
            self._pinned.remove()
            self.view.catch_up()
        self._write_end()

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        self.view.tell(run, events)

    def _draw(self) -> None:
        wait_s, has_failed = FIRST_FRAME_S, False
        while not self._over.wait(wait_s):
            began_s = time.thread_time()
            try:
                with self._drawing:
                    if not self._over.is_set():
                        self._show()
            except Exception:  # the run is what counts; its picture is not worth its failure
                if not has_failed:
                    logging.getLogger(__name__).warning("The tree of the run could not be drawn.", exc_info=True)
                has_failed = True
            wait_s = max(FRAME_S, (time.thread_time() - began_s) * SHARE)

    def _show(self) -> None:
        now_s = time.monotonic()
        was_asleep = now_s - self._frame_at_s > ASLEEP_S and bool(self._pinned.count)
        self._frame_at_s = now_s
        self.view.catch_up()
        columns, rows = self._pinned.size()
        lines = self.frame(columns, most_lines(rows), time.time_ns() // 1000)
        lines += [[]] * (min(self._pinned.count, most_lines(rows)) - len(lines))  # as high as it was, lest it jump
        self._pinned.show([painted(line, with_colours=self._has_colours) for line in lines], anew=was_asleep)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def frame(self, columns: int, most: int, now_us: int) -> list[Line]:
        """The lines that stand at the bottom."""
        if self.view.run is None:  # a kernel takes a while to start
            begins = [heading(self._title, [self.note or "starting"], columns)]
            return [*map(self._lines.carried, begins)][:most]
        counts = self.view.counts()
        total = sum(counts.values())
        done = sum(count for state, count in counts.items() if IS_FINAL[state])
        failed = sum(count for state, count in counts.items() if IS_FAILED[state])
        head = [heading(self._title, self._facts(done, total, now_us), columns)]
        said = " ".join(filter(None, [self.note or "Stopping." * bool(self.view.stopping), self.view.stopping]))
        foot: list[Line] = [fitting([(said, "bold yellow")], columns)] if said else []
        if most >= RESERVED + 1 + len(foot):
            head.append(bar(done - failed, failed, total, columns))
        tree = self._lines.lines(columns, most - len(head) - len(foot), now_us)
        return [*map(self._lines.carried, head), *tree, *map(self._lines.carried, foot)][:most]

    def _facts(self, done: int, total: int, now_us: int) -> list[str]:
        elapsed = stop_watch(max(0, now_us - (self.view.began_us or now_us)) / 1e6)
        left = self._told_left(now_us)
        far = f"{done:,} of {counted(total, self._unit)}"
        short = f"{done:,} of {total:,}"
        return [", ".join(filter(None, facts)) for facts in ((far, elapsed, left), (short, left or elapsed), (short,))]

    def _told_left(self, now_us: int) -> str:
        if not self._medians:
            return ""
        told, at_s = self._left
        if time.monotonic() - at_s >= LEFT_EVERY_S:
            left = left_of(self._lines.upstream, self.view.open_tasks(now_us), self._medians)
            told = "" if left is None else str(left)
            self._left = told, time.monotonic()
        return told

    def _write_end(self) -> None:
        """The last tree, which stays: all of it, or of a large run what did not end well."""
        if self.view.run is None or not self._leaves_tree:
            return
        columns, _ = self._pinned.size()
        most = MOST_AT_THE_END if self._lines.rows_needed() <= MOST_AT_THE_END else LARGE_AT_THE_END
        lines = self._lines.lines(columns, most, time.time_ns() // 1000, is_end=True)
        text = "".join(f"{painted(line, with_colours=self._has_colours)}\n" for line in lines)
        self._pinned.write_below(f"{text}{self._gap}" if text else "")
