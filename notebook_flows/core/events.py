"""What a run consists of: each event says that the run, or one task run, is now in a state."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.lifecycle import S

RUN_ITSELF = -1
UNMAPPED = -1


class Kind(StrEnum):
    """What an event speaks of. The words are stored in histories."""

    RUN = "run"
    """The run itself is now in ``state``; the first one carries the graph and the parameters in ``data``."""
    TASK = "task"
    """One task run is now in ``state``."""
    EXPANDED = "expanded"
    """A mapped task now has ``data["width"]`` children."""
    VERDICT = "verdict"
    """User code has judged: ``data["may_run"]`` tells whether the task may start."""
    ARTIFACT = "artifact"
    """One task run, which stays in ``state``, has attached what ``data`` describes; its content is referred to."""
    REOPENED = "reopened"
    """One task run, which had ended, is in ``state`` again: somebody wants it tried once more, or what it waits for is.
    A mapped task comes before its children."""


class Event(NamedTuple):
    """One line of a run's history.

    A NamedTuple, not a dataclass: two are made for every task, and it is a row as it stands.

    Attributes:
        seq: 1, 2, 3... within the run.
        at_us: microseconds since 1970, UTC.
        kind: what it speaks of.
        node: the task's number in the run's graph, or ``RUN_ITSELF``.
        index: the child's number below a mapped task, or ``UNMAPPED``.
        attempt: 1 for the first try; 0 where nothing was tried.
        loop: 1 for the first round; more only after LOOP.
        state: where it stands now.
        data: names, messages and references to results, as JSON; never values. None for most.
    """

    seq: int
    at_us: int
    kind: Kind
    node: int
    index: int  # type: ignore[assignment] # hides tuple.index, which no event needs
    attempt: int
    loop: int
    state: S
    data: Mapping[str, Any] | None
