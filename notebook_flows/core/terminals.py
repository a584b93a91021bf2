"""Which tasks decide how a flow ends, unless it says so itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.core.task import Task


def deciding(tasks: Iterable[Task], after: Iterable[Sequence[Task]]) -> list[int]:
    """The numbers of the last tasks.

    A task that only the clean-up of a resource waits for is one; a resource's own tasks are not.

    Args:
        tasks: n tasks.
        after: of each, the tasks that wait for it.
    """
    from notebook_flows.core.resource import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask

    helpers = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)
    return [
        number
        for number, (task, waiting) in enumerate(zip(tasks, after, strict=True))
        if not isinstance(task, helpers)
        and (not waiting or all(isinstance(one, ResourceCleanupTask) for one in waiting))
    ]
