"""A task cell as a task of our engine: whichever lane it takes, one attempt gives its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.task import Task
from notebook_flows.session.lanes import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.values import CellValues


class KernelCellTask(Task):
    """A task cell, run where its lane says: by `run_private`, `run_on_loop`, `run_exclusive` or in a worker process.

    Args:
        code: from `prepare`.
        user_ns: the notebook's namespace.
        inputs: called when an attempt begins, in this process: the values of the names that the cell reads, those
            that functions read late included; more names do no harm. Names that it does not give are as in
            ``user_ns``.
        sink: called when an attempt begins: where its output goes.
        lane: where it runs.
        shell: the kernel's InteractiveShell; None without one.
        hands_back: inputs that the cell may change; a process sends them back.
        predicted: names that it may bind or delete; what the analysis says unless given.
        unsettled: names that others may bind in ``user_ns`` while the cell runs; functions that read them are re-bound.
        alone: makes a call on the main thread while no other task runs, with all that is done landed; without it, a
            cell that cannot run privately fails with `NeedsRealNamespace`.
        strict_shell: a failing ``!command`` fails the cell.
    """

    def __init__(
        self,
        code: CellCode,
        *,
        user_ns: dict[str, Any],
        inputs: Callable[[], Mapping[str, Any]],
        sink: Callable[[], Sink],
        lane: Lane = Lane.THREADS,
        shell: Any = None,
        hands_back: frozenset[str] = frozenset(),
        predicted: frozenset[str] | None = None,
        unsettled: frozenset[str] = frozenset(),
        alone: Callable[[Callable[[], CellValues]], CellValues] | None = None,
        strict_shell: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(name=options.pop("name", code.name), **options)
        self.code = code
        self.lane = lane

    def run(self) -> Any:
        """One attempt.

        Returns:
            `CellValues`; from a worker process `SentValues`, whose ``load(user_ns)`` gives them; on the loop a
            coroutine that gives them.
        Raises:
            BaseException: what the cell raises; its traceback has been shown in the sink.
        """
        raise NotImplementedError
