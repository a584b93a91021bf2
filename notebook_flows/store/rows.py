"""What the history answers: frozen rows for runs, task runs and log lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BY_HAND = "by hand"
"""The executor of runs that are one cell, executed by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The process that writes, or wrote, a run.

    Attributes:
        boot_id: changes when the machine is started anew; empty where the system has none.
        process_started: tells this process from a later one with the same pid; clock ticks since boot on Linux.
    """

    host: str
    boot_id: str
    pid: int
    process_started: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One run, as it stands in the history.

    Attributes:
        created_us, started_us, ended_us, scheduled_us: microseconds since 1970, UTC.
        last_seq: the number of the run's last event; 0 where there is none yet.
        owner_epoch: raised by every takeover.
        slugs: the n task slugs, in the order of the graph's numbers; empty in lists of runs.
        task_count: n.
        counts: how many task runs stand in which state, a mapped task counting as its children; while the run goes on,
            a task run without any event is not counted.
    """

    run_id: str
    flow: str
    name: str
    parent_run_id: str | None
    state: S
    message: str
    created_us: int
    started_us: int | None
    ended_us: int | None
    scheduled_us: int | None
    executor: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    last_seq: int
    owner: Owner
    owner_epoch: int
    task_count: int
    counts: Mapping[S, int] = field(default_factory=dict)
    slugs: Sequence[str] = ()

    @property
    def goes_on(self) -> bool:
        """Whether some process is running it, as far as the history knows."""
        return self.ended_us is None and self.state is not S.PAUSED

    @property
    def is_by_hand(self) -> bool:
        """Whether it is no more than a cell that was executed by hand."""
        return self.executor == BY_HAND


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRunRow:
    """One attempt of one task run.

    Attributes:
        node: the task's number in the graph.
        index: the child's number below a mapped task, or -1.
        seq: of the last event that spoke of it; the largest among a task run's attempts is where it stands now.
        result: the reference to the result, as the event carried it, or None.
    """

    slug: str
    node: int
    index: int
    attempt: int
    loop: int
    state: S
    started_us: int | None
    ended_us: int | None
    message: str
    result: Any
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRow:
    """What a task has attached to its run.

    Attributes:
        seq: of its event.
        slug: the task's.
        key: its name; what the same task run attaches under the same key later takes its place.
        kind: ``table``, ``markdown``, ``image``, ``file`` or ``link``.
        media_type: of its content; empty for a link.
        summary: how large it is, in a few words.
        file_name: that of a file, without a folder; else empty.
        link: the address of a link; else empty.
        content: the reference to its content: ``size``, ``sha256``, and ``in``; None for a link.
        from_run: the earlier run in which it was attached, from which its task was taken; empty: in this one.
    """

    seq: int
    at_us: int
    slug: str
    node: int
    index: int
    attempt: int
    loop: int
    key: str
    kind: str
    title: str
    description: str
    media_type: str
    summary: str
    file_name: str
    link: str
    content: Mapping[str, Any] | None
    from_run: str = ""

    @property
    def size_bytes(self) -> int:
        """Of its content."""
        return 0 if self.content is None else int(self.content["size"])


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRow:
    """One captured log line.

    Attributes:
        number: 1, 2, 3... within the run.
        slug: the task's, or None for the run itself.
    """

    number: int
    at_us: int
    level: int
    logger: str
    message: str
    slug: str | None
    node: int
    index: int
    attempt: int


_OF_NOTEBOOKS = ("cells(", "kernel(")
"""How the executors of a notebook's cells are told: in a kernel that somebody uses, and headless."""


def is_of_notebook(row: RunRow) -> bool:
    """Whether a run is one of a notebook's cells, and of more than one that was executed by hand."""
    return (row.executor or "").startswith(_OF_NOTEBOOKS)
