"""One run of a task cell that is alone: it borrows the notebook's own namespace, on the main thread."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.session.apart import apart
from notebook_flows.session.namespace import HISTORY, difference
from notebook_flows.session.running import around_cell, await_steps, run_steps
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from notebook_flows.fingerprints.watching import Watch
    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink


def run_exclusive(
    code: CellCode,
    *,
    values: Mapping[str, Any],
    user_ns: dict[str, Any],
    sink: Sink,
    shell: Any = None,
    predicted: frozenset[str] | None = None,
    absent: Collection[str] = (),
) -> CellValues:
    """Run a cell in the notebook's namespace, while nothing else runs; on the main thread.

    All magics work, functions and classes are themselves, `global` means what it says. Afterwards the namespace is as
    it was before: what the cell has bound lands like that of any other, and a failed one leaves nothing.

    Args:
        code: from `prepare`.
        values: of the names that it reads, where they are not those that ``user_ns`` has.
        user_ns: the notebook's namespace.
        sink: where its output goes.
        shell: the kernel's InteractiveShell; None without one.
        predicted: names that it may bind or delete; what the analysis says unless given.
        absent: names of ``user_ns`` that do not exist at the cell's place in the notebook.
    Raises:
        BaseException: what the cell raises; it has been shown in the sink.
    """
    borrowed = _Borrowed(code, values, user_ns, absent)
    with borrowed.made(sink, shell):
        run_steps(code, user_ns, sink, shell)
    return borrowed.values(predicted)


async def run_exclusive_on_loop(
    code: CellCode,
    *,
    values: Mapping[str, Any],
    user_ns: dict[str, Any],
    sink: Sink,
    shell: Any = None,
    predicted: frozenset[str] | None = None,
    absent: Collection[str] = (),
) -> CellValues:
    """As `run_exclusive`, for a cell that awaits; on the running loop."""
    borrowed = _Borrowed(code, values, user_ns, absent)

    async def steps() -> None:
        with borrowed.made(sink, shell):
            await await_steps(code, user_ns, sink, shell)

    await apart(steps(), name=f"notebook_flows {code.name}")
    return borrowed.values(predicted)


class _Borrowed:
    """The notebook's namespace, lent to one cell."""

    def __init__(
        self, code: CellCode, values: Mapping[str, Any], user_ns: dict[str, Any], absent: Collection[str]
    ) -> None:
        self._code = code
        self._names = user_ns
        self._values = values
        self._absent = absent
        self._bound: dict[str, Any] = {}
        self._deleted: frozenset[str] = frozenset()
        self._watch: Watch | None = None

    @contextmanager
    def made(self, sink: Sink, shell: Any) -> Iterator[None]:
        """Around the cell's code."""
        names, before = self._names, dict(self._names)
        for name in self._absent:
            names.pop(name, None)
        names.update(self._values)
        start = dict(names)
        with ExitStack() as stack:
            stack.callback(_give_back, names, before)
            if shell is not None:
                stack.enter_context(shell.builtin_trap)
            self._watch = stack.enter_context(around_cell(self._code, sink, shell))
            yield
            self._bound, self._deleted = difference(start, names, self._code.facts)

    def values(self, predicted: frozenset[str] | None) -> CellValues:
        """What the cell has bound and deleted."""
        facts = self._code.facts
        foreseen = facts.binds | facts.deletes if predicted is None else predicted
        return CellValues(
            bound=self._bound,
            deleted=self._deleted,
            unpredicted=frozenset((self._bound.keys() | self._deleted) - foreseen),
            seen=self._watch.seen() if self._watch is not None else None,
        )


def _give_back(names: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Make the names what they were, but for those of IPython's history."""
    missing = object()
    for name in [name for name in names if name not in before and not HISTORY.fullmatch(name)]:
        del names[name]
    for name, value in before.items():
        if names.get(name, missing) is not value and not HISTORY.fullmatch(name):
            names[name] = value
