"""One run of a task cell in names of its own, in the calling thread or on its event loop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.session.apart import apart
from notebook_flows.session.asmain import found_in_main
from notebook_flows.session.minishell import MiniShell
from notebook_flows.session.namespace import TaskNames, difference, start_names
from notebook_flows.session.rebinding import Rebinding
from notebook_flows.session.running import around_cell, await_steps, run_steps
from notebook_flows.session.settling import Settling
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from notebook_flows.fingerprints.watching import Watch
    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink


class NeedsRealNamespace(FlowError):  # noqa: N818 - the sentence that people read
    """A cell cannot run in names of its own: what it uses cannot be made to see them.

    Attributes:
        reasons: one clause for each name.
    """

    def __init__(self, name: str, reasons: Collection[str]) -> None:
        super().__init__(name, tuple(reasons))
        self.name = name
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        return f"Task {self.name!r} has to run alone, in the notebook's own namespace: {'; '.join(self.reasons)}."


def run_private(
    code: CellCode,
    *,
    values: Mapping[str, Any],
    user_ns: dict[str, Any],
    sink: Sink,
    shell: Any = None,
    strict_shell: bool = False,
    predicted: frozenset[str] | None = None,
    unsettled: Collection[str] = (),
    absent: Collection[str] = (),
    begun: Callable[[MiniShell], None] | None = None,
) -> CellValues:
    """Run a cell in this thread.

    Args:
        code: from `prepare`.
        values: of the names that it reads, those included that functions read late; all other names are as in
            ``user_ns``.
        user_ns: the notebook's namespace; nothing is changed in it.
        sink: where its output goes.
        shell: the kernel's InteractiveShell, for its settings; None without one.
        strict_shell: a failing ``!command`` fails the cell.
        predicted: names that it may bind or delete; what the analysis says unless given.
        unsettled: names that others may bind in ``user_ns`` meanwhile.
        absent: names of ``user_ns`` that do not exist at the cell's place in the notebook.
        begun: is told the run's shell, which can stop its commands.
    Raises:
        NeedsRealNamespace: it cannot run like this; nothing has been run.
        BaseException: what the cell raises; it has been shown in the sink.
    """
    run = _PrivateRun(code, values, user_ns, shell, strict_shell, unsettled, absent, begun)
    with run.made(sink):
        run_steps(code, run.names, sink, shell)
    return run.values(predicted)


async def run_on_loop(
    code: CellCode,
    *,
    values: Mapping[str, Any],
    user_ns: dict[str, Any],
    sink: Sink,
    shell: Any = None,
    strict_shell: bool = False,
    predicted: frozenset[str] | None = None,
    unsettled: Collection[str] = (),
    absent: Collection[str] = (),
    begun: Callable[[MiniShell], None] | None = None,
) -> CellValues:
    """Run a cell on the running event loop; as `run_private`, and the cell may await.

    It gets an asyncio task of its own, so that its output goes to its sink whoever else uses the loop.
    """
    run = _PrivateRun(code, values, user_ns, shell, strict_shell, unsettled, absent, begun)

    async def steps() -> None:
        with run.made(sink):
            await await_steps(code, run.names, sink, shell)

    await apart(steps(), name=f"notebook_flows {code.name}")
    return run.values(predicted)


class _PrivateRun:
    """The names of one run, from before it to after it."""

    def __init__(
        self,
        code: CellCode,
        values: Mapping[str, Any],
        user_ns: dict[str, Any],
        shell: Any,
        strict_shell: bool,
        unsettled: Collection[str],
        absent: Collection[str],
        begun: Callable[[MiniShell], None] | None,
    ) -> None:
        self._code = code
        self._home = user_ns
        self._shell = shell
        facts = code.facts
        self.names = TaskNames(start_names(facts, values, user_ns, absent))
        self.names.home = user_ns
        mini = MiniShell(self.names, shell=shell, strict_shell=strict_shell)
        self.names["get_ipython"] = mini.get_ipython
        self._rebinding = Rebinding(self.names, user_ns, {*facts.binds, *facts.deletes, *unsettled})
        self._rebinding.apply(facts.reads | facts.late | facts.builtins)
        if self._rebinding.obstacles:
            raise NeedsRealNamespace(code.name, self._rebinding.obstacles.values())
        self._before = dict(self.names)
        self._watch: Watch | None = None
        if begun is not None:
            begun(mini)

    @contextmanager
    def made(self, sink: Sink) -> Iterator[None]:
        """Around the cell's code."""
        try:
            with around_cell(self._code, sink, self._shell) as self._watch, found_in_main(self.names):
                yield
        except BaseException:
            self.names.open_window(())
            raise

    def values(self, predicted: frozenset[str] | None) -> CellValues:
        """What the cell has bound and deleted, its functions made the notebook's; the names are closed."""
        facts = self._code.facts
        bound, deleted = difference(self._before, self.names, facts)
        self._before.clear()
        bound = {name: self._rebinding.original(value) for name, value in bound.items()}
        self._rebinding.put_back()
        settling = Settling(self.names, self._home)
        bound = settling.settled(bound)
        foreseen = facts.binds | facts.deletes if predicted is None else predicted
        return CellValues(
            bound=bound,
            deleted=deleted,
            unpredicted=frozenset((bound.keys() | deleted) - foreseen),
            settling=settling,
            seen=self._watch.seen() if self._watch is not None else None,
        )
