"""Which tasks decide how a flow ends, unless it says so itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.core.task import Task


def deciding(tasks: Sequence[Task], downstream: Iterable[Sequence[int]]) -> list[int]:
    """The numbers of the last tasks.

    A task that only the clean-up of a resource waits for is one; a resource's own tasks are not.

    Args:
        tasks: n tasks.
        downstream: of each, the numbers of the tasks that wait for it.
    """
    from notebook_flows.core.resource import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask

    helpers = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)
    if not any(issubclass(kind, helpers) for kind in set(map(type, tasks))):
        return [number for number, after in enumerate(downstream) if not after]
    return [
        number
        for number, after in enumerate(downstream)
        if not isinstance(tasks[number], helpers)
        and (not after or all(isinstance(tasks[one], ResourceCleanupTask) for one in after))
    ]
