"""What a cell waits for: some of the cells before it must have gone well, the others only be over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from notebook_flows.core.task import Task


class _NotRun(signals.Signal):
    """A cell cannot run without one that has failed."""

    state_class = api.NotRun


class Needs:
    """The trigger of a cell that needs some of the cells before it, and only follows the others.

    A cell that has to stay away is not run, by hand and headlessly: so notebooks call it, where a flow's task has failed
    by its trigger.

    Args:
        needed: without whose success it does not run.
    """

    __name__ = "needs"

    def __init__(self, needed: Collection[Task]) -> None:
        self.needed = frozenset(needed)

    def __call__(self, upstream_states: Mapping[Any, api.State]) -> bool:
        """Whether it may run.

        Raises:
            Signal: it may not; the signal's state says after whom.
        """
        for edge, ended in upstream_states.items():
            if edge.upstream_task in self.needed and not ended.is_successful():
                is_cause = not isinstance(ended, api.NotRun)
                raise _NotRun(f"after {edge.upstream_task.name}" if is_cause else ended.message)
        return True
