"""A run that goes on, as the lines of a terminal: how far it is, and a tree of its tasks, or those that matter now."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S, facts_of
from notebook_flows.views.reduction import without_implied, without_tasks
from notebook_flows.views.runview import OWN_FAILURES
from notebook_flows.views.styled import fitting, plain, style_of, width_of
from notebook_flows.views.table import GRAVITY, carries_glyphs, glyph_of, told_counts
from notebook_flows.views.text import columns_of, counted, padded, printable, shortened, stop_watch, told_duration
from notebook_flows.views.tree import DEEPEST, in_encoding, is_chain, placed, rails_of, strand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.plan import Plan
    from notebook_flows.views.runview import RunView, TaskView
    from notebook_flows.views.styled import Part

MOST_IN_TREE = 300
"""Larger flows are never drawn as a tree."""
COLUMNS_OF_RAIL = 8
"""A tree may have a level for so many columns there are."""
BAR = 10

Line = list["Part"]


class Inside(NamedTuple):
    """How far something that a task runs is, such as the cells of a notebook."""

    done: int
    total: int
    what: str


class Row(NamedTuple):
    """One task's line to be."""

    head: Line
    word: Part
    time: str
    notes: Line


class TreeLines:
    """Makes the lines. Columns only ever grow wider, so that nothing jumps about.

    Args:
        view: of the run.
        inside: {task's number: how far it is inside}.
        encoding: of the terminal.
        unit: what the tasks are called.
    """

    def __init__(
        self, view: RunView, inside: Mapping[int, Inside], encoding: str = "utf-8", unit: str = "task"
    ) -> None:
        self._view = view
        self._inside = inside
        self._encoding = encoding
        self._unit = unit
        self._names: dict[int, str] = {}
        self._head_width = 0
        self._word_width = len(facts_of(S.RUNNING).word)
        self._time_width = len("0:00")

    def lines(self, columns: int, most: int, now_us: int, *, is_end: bool = False) -> list[Line]:
        """All tasks as a tree if they fit, else those that matter now and how many there are besides.

        Args:
            columns: of the terminal.
            most: lines.
            now_us: microseconds since 1970.
            is_end: what ended well matters no more.
        """
        plan = self._view.run.plan if self._view.run is not None else None
        if plan is None or most <= 0:
            return []
        nodes = self._all if self._view.size <= MOST_IN_TREE else range(self._view.size)
        if len(nodes) <= most:
            rails = self._rails(columns)
            order = [node for node in rails if self._view.is_seen(node)]
            return self._laid_out([self._row(node, rails[node], now_us) for node in order], columns)
        shown = self._view.urgent(most - 1) if is_end else self._chosen(most - 1, nodes)
        lines = self._laid_out([self._row(node, "", now_us) for node in shown], columns)
        return [*lines, self._rest(shown, columns)] if lines or not is_end else []

    def of_tasks(self, nodes: Sequence[int], columns: int, now_us: int) -> list[str]:
        """A line of plain text for each of some tasks."""
        return [plain(line) for line in self._laid_out([self._row(node, "", now_us) for node in nodes], columns)]

    def rows_needed(self) -> int:
        """How many lines a tree of all takes."""
        return len(self._all) if self._view.size <= MOST_IN_TREE else self._view.size

    @property
    def _all(self) -> list[int]:
        return [node for node in range(self._view.size) if self._view.is_seen(node)]

    def _chosen(self, most: int, nodes: Sequence[int]) -> list[int]:
        """The tasks that matter most: what runs, failed or waits; then what is next, then what ended last."""
        found = dict.fromkeys(self._view.urgent(most))
        run = self._view.run
        assert run is not None
        if len(nodes) <= MOST_IN_TREE:
            found.update(dict.fromkeys(node for node in self._order if not IS_FINAL[run.state[node]]))
        if len(found) < most:
            found.update(dict.fromkeys(node for node in reversed(self._view.recent) if self._view.is_seen(node)))
        if len(found) < most and len(nodes) <= MOST_IN_TREE:
            found.update(dict.fromkeys(nodes))
        return [node for node in found if self._view.is_seen(node)][:most]

    def _rest(self, shown: Sequence[int], columns: int) -> Line:
        counts = self._view.counts()
        for node in shown:
            for state, count in (self._view.children_of(node) or {self._view.task(node).state: 1}).items():
                counts[state] = counts.get(state, 0) - count
        left = {state: count for state, count in counts.items() if count > 0}
        is_mapped = self._view.run is not None and bool(self._view.run.children)
        more = counted(sum(left.values()), f"more {self._unit}" + " run" * is_mapped)
        return self.carried(fitting([(f"… and {more}: {told_counts(left)}", "dim")], columns)) if left else []

    # -- how they hang together ----------------------------------------------------------------------------------------

    @cached_property
    def upstream(self) -> list[list[int]]:
        """Of each task, the numbers of those that it waits for, without what others tell already."""
        plan = self._plan
        hidden = {node for node in range(len(plan.graph)) if not self._view.is_seen(node)}
        inputs = without_implied(without_tasks(plan.graph.inputs, hidden))
        return [list(dict.fromkeys(one.upstream for one in into)) for into in inputs]

    @property
    def _plan(self) -> Plan:
        assert self._view.run is not None
        return self._view.run.plan

    @cached_property
    def _places(self) -> tuple[list[int], list[int], list[int]]:
        return placed(len(self.upstream), self.upstream)

    @property
    def _order(self) -> list[int]:
        return self._places[0]

    def _rails(self, columns: int) -> dict[int, str]:
        """The lines before each name, in the order in which names are written."""
        order, parent, depth = self._places
        seen = [node for node in order if self._view.is_seen(node)]
        if is_chain(seen, self.upstream):
            return strand(seen)
        if max(depth, default=0) > min(DEEPEST, columns // COLUMNS_OF_RAIL):
            return dict.fromkeys(order, "")
        return rails_of(order, parent)

    # -- one line ------------------------------------------------------------------------------------------------------

    def _row(self, node: int, rail: str, now_us: int) -> Row:
        task = self._view.task(node)
        style = style_of(task.state)
        facts = facts_of(task.state)
        head: Line = [
            (rail, "dim"),
            (f"{glyph_of(task.state, self._encoding)} ", style),
            (self._name(node), "bold" if task.since_us else ""),
        ]
        seconds = task.seconds
        if task.since_us is not None:
            time = stop_watch(max(0, now_us - task.since_us) / 1e6)
        else:
            time = "" if seconds is None else told_duration(seconds)
        return Row(head, (facts.word, style), time, self._notes(node, task, now_us))

    def _name(self, node: int) -> str:
        name = self._names.get(node)
        if name is None:
            name = self._names[node] = printable(self._plan.names[node]) or "(no name)"
        return name

    def _notes(self, node: int, task: TaskView, now_us: int) -> Line:
        notes: Line = []
        inside = self._inside.get(node)
        if task.children:
            notes += _bar_of(task.children)
        elif inside is not None and (not IS_FINAL[task.state] or IS_FAILED[task.state]):
            failed = 1 if IS_FAILED[task.state] else 0
            notes += [
                *bar(inside.done - failed, failed, inside.total, BAR),
                (f" {inside.done} of {inside.total} {inside.what}", ""),
            ]
        said: list[tuple[str, str]] = []
        if task.attempt > 1 or (task.attempt and task.due_us is not None):
            said.append((f"attempt {task.attempt}", "dim"))
        if task.due_us is not None and task.state is S.RETRYING:
            said.append((f"again in {stop_watch(max(0, task.due_us - now_us) / 1e6 + 0.999)}", "dim"))
        if task.reason:
            said.append((task.reason, "red" if task.state in OWN_FAILURES or task.children else "dim"))
        for one in said:
            notes += [("  ", "")] if notes else []
            notes.append(one)
        return notes

    # -- columns -------------------------------------------------------------------------------------------------------

    def _laid_out(self, rows: Sequence[Row], columns: int) -> list[Line]:
        self._word_width = max([self._word_width, *(len(row.word[0]) for row in rows)])
        self._time_width = max([self._time_width, *(len(row.time) for row in rows)])
        self._head_width = max([self._head_width, *(width_of(row.head) for row in rows)])
        fixed = self._word_width + self._time_width + 4
        notes = min(max((width_of(row.notes) for row in rows), default=0), columns // 3)
        heads = min(self._head_width, max(columns - fixed - notes - 2, columns // 3))
        return [self._line(row, heads, columns) for row in rows]

    def _line(self, row: Row, heads: int, columns: int) -> Line:
        head = fitting(row.head, heads)
        head.append((" " * (heads - width_of(head) + 2), ""))
        word, style = row.word
        line = [*head, (padded(word, self._word_width), style), ("  ", ""), (row.time.rjust(self._time_width), "dim")]
        if row.notes:
            line += [("  ", ""), *row.notes]
        return self.carried(fitting(line, columns))

    def carried(self, line: Line) -> Line:
        """The line as the terminal's encoding can carry it."""
        if carries_glyphs(self._encoding):
            return line
        return [(in_encoding(text, self._encoding, set()), style) for text, style in line]


def _bar_of(children: Mapping[S, int]) -> Line:
    total = sum(children.values())
    not_well = sum(count for state, count in children.items() if IS_FAILED[state])
    ended = sum(count for state, count in children.items() if IS_FINAL[state])
    if not_well and ended == total:  # what went wrong needs the room
        return told_badly(children, total)
    told: Line = [*bar(ended - not_well, not_well, total, BAR), (f" {ended:,} of {total:,}", "")]
    return [*told, (", ", ""), *told_badly(children)] if not_well else told


def told_badly(children: Mapping[S, int], total: int | None = None) -> Line:
    """How many children did not end well: those that failed by themselves first, then what became of others."""
    counts: dict[str, int] = {}
    for state in GRAVITY:
        if IS_FAILED[state] and children.get(state):
            word = "failed" if state in OWN_FAILURES else facts_of(state).word
            counts[word] = counts.get(word, 0) + children[state]
    of_all = "" if total is None else f" of {total:,}"
    told = [f"{count:,}{of_all if not place else ''} {word}" for place, (word, count) in enumerate(counts.items())]
    return [(", ".join(told), "red" if "failed" in counts else "dim")]


def bar(done: int, failed: int, total: int, columns: int) -> Line:
    """How much has ended, well and else; what did not end well is always seen.

    >>> bar(2, 1, 10, 10)
    [('━━', 'green'), ('━', 'red'), ('───────', 'dim')]
    """
    bad = 0 if not failed else max(1, round(failed * columns / total))
    good = min(max((done + failed) * columns // max(1, total) - bad, 0), columns - bad)
    return [("━" * good, "green"), ("━" * bad, "red"), ("─" * (columns - good - bad), "dim")]


def heading(title: str, facts: Sequence[str], columns: int) -> Line:
    """The title at the left and what is known at the right; where it is narrow, the most important of that.

    Args:
        title: of the run.
        facts: each longer than the next, of which the first that fits is told.
        columns: of the terminal.
    """
    fact = next((one for one in facts if columns_of(one) <= columns * 2 // 3), facts[-1])
    fact = shortened(fact, columns)
    room = max(columns - columns_of(fact) - 2, 0)
    name = shortened(title, room)
    return [(name, "bold"), (" " * (columns - columns_of(name) - columns_of(fact)), ""), (fact, "")]
