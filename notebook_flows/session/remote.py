"""A task cell in another process, seen from the process of its notebook: what goes there, and what comes back."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import NotTransferable
from notebook_flows.executors import notes
from notebook_flows.session.handback import put_into
from notebook_flows.session.namespace import HISTORY, TaskNames
from notebook_flows.session.parcels import Packing, Parcel, Place, UnreadableValue, UnsendableValue
from notebook_flows.session.telling import Hearing
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from notebook_flows.fingerprints.watching import Seen
    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink


class Errand(NamedTuple):
    """All that a worker process needs to run a cell once.

    Attributes:
        code: of the cell.
        inputs: the values that it reads, and what its functions read.
        left_out: name -> why the value of a name that it may read could not be sent.
        hands_back: inputs that it may change.
        needed: names that it must send back; None: all that it binds.
        predicted: names that it may bind or delete.
        listener: the number of who hears its output.
        lines: file name -> (the lines of another cell, for tracebacks; how tracebacks call it).
    """

    code: CellCode
    inputs: Parcel
    left_out: dict[str, str]
    hands_back: frozenset[str]
    needed: frozenset[str] | None
    predicted: frozenset[str]
    listener: int
    strict_shell: bool
    lines: dict[str, tuple[str, str]]
    colors: str


class SentValues(NamedTuple):
    """What a cell has bound in a worker process, as it comes back.

    Attributes:
        parcel: n values that it has bound, and, behind them, the inputs that it may have changed.
        bound: n.
        whole: the inputs among these that travel whole; of others it is what is in them.
        left_behind: name -> why its value has not come back.
        seen: what the cell read and evaluated there.
    """

    parcel: Parcel
    bound: int
    whole: frozenset[str]
    deleted: frozenset[str]
    unpredicted: frozenset[str]
    left_behind: dict[str, str]
    seen: Seen | None = None


class Sending:
    """One attempt of a cell in a worker process.

    Args:
        code: of the cell.
        values: of the names that it reads, as for `run_private`.
        user_ns: the notebook's namespace.
        sink: where its output goes.
        shell: the kernel's InteractiveShell; None without one.
        hands_back: inputs that it may change.
        needed: names whose values must come back; others may stay there if they cannot. None: all.
        absent: names of ``user_ns`` that do not exist at the cell's place.
    """

    def __init__(
        self,
        code: CellCode,
        *,
        values: Mapping[str, Any],
        user_ns: dict[str, Any],
        sink: Sink,
        shell: Any = None,
        hands_back: Collection[str] = (),
        needed: frozenset[str] | None = None,
        predicted: frozenset[str] | None = None,
        absent: Collection[str] = (),
        strict_shell: bool = False,
    ) -> None:
        self._code = code
        self._home = user_ns
        names = {name: value for name, value in user_ns.items() if name not in absent and not HISTORY.fullmatch(name)}
        names.update(values)
        facts = code.facts
        parcel, left_out = self._packed(names)
        self._sent = {name: names[name] for name in parcel.names}
        self._hearing = Hearing(sink)
        self.errand = Errand(
            code=code,
            inputs=parcel,
            left_out=left_out,
            hands_back=(facts.mutates | frozenset(hands_back)) & self._sent.keys(),
            needed=needed,
            predicted=facts.binds | facts.deletes if predicted is None else predicted,
            listener=notes.listen(self._hearing),
            strict_shell=strict_shell,
            lines=_lines_of_other_cells(code, shell),
            colors=getattr(shell, "colors", "nocolor"),
        )

    def _packed(self, names: Mapping[str, Any]) -> tuple[Parcel, dict[str, str]]:
        """The values that the cell reads, and those that their functions read, as far as they can be sent.

        Raises:
            NotTransferable: one that it reads for certain cannot.
        """
        facts = self._code.facts
        first = sorted((facts.reads | facts.deletes | facts.late | facts.builtins) & names.keys())
        left_out: dict[str, str] = {}
        while True:
            packing = Packing(self._is_ours)
            todo, seen = list(first), set(first)
            try:
                while todo:
                    name = todo.pop(0)
                    if name not in left_out:
                        packing.add(name, names[name])
                    more = sorted((packing.read & names.keys()) - seen)
                    seen.update(more)
                    todo.extend(more)
            except UnsendableValue as problem:
                if problem.name in facts.reads:
                    raise self._unsendable(problem) from problem.error
                left_out[problem.name] = f"{type(problem.error).__name__}: {problem.error}"
                continue
            also = [name for name in names.keys() - seen if packing.holds(names[name])]
            for name in sorted(also):  # in what it reads there are objects that have names of their own
                packing.add(name, names[name])
            return packing.parcel(), left_out

    def _is_ours(self, names: dict[str, Any]) -> bool:
        return names is self._home or (isinstance(names, TaskNames) and names.home is self._home)

    def _unsendable(self, problem: UnsendableValue) -> NotTransferable:
        kind, error = type(problem.value), problem.error
        return NotTransferable(
            f"Task {self._code.name!r} reads {problem.name!r}, a {kind.__module__}.{kind.__qualname__}, which cannot be "
            f"sent to another process ({type(error).__name__}: {error}). Make it inside the task, or run the task in "
            "the kernel: `--executor threads`."
        )

    def received(self, sent: SentValues) -> CellValues:
        """What the cell has bound, in this process; inputs that it has changed are changed here as far as can be.

        Raises:
            NotTransferable: a value cannot be read here.
        """
        try:
            values = sent.parcel.opened(Place(self._home, self._sent))
        except UnreadableValue as problem:
            raise NotTransferable(
                f"Task {self._code.name!r}: its value {problem.name!r} has come back from its process but cannot be "
                f"read here ({type(problem.error).__name__}: {problem.error})."
            ) from problem.error
        names = sent.parcel.names
        bound = {name: values[name] for name in names[: sent.bound]}
        handed_back = {}
        for key in names[sent.bound :]:
            name = key.removeprefix(BACK)
            is_changed = name not in sent.whole and put_into(self._sent[name], values[key])
            handed_back[name] = self._sent[name] if is_changed else values[key]
        return CellValues(
            bound=bound,
            deleted=sent.deleted,
            unpredicted=sent.unpredicted,
            handed_back=handed_back,
            left_behind=sent.left_behind,
            seen=sent.seen,
        )


BACK = "<- "
"""Stands before the names of inputs that come back, so that they are no names of what was bound."""


def labels_of(shell: Any) -> dict[str, Any]:
    """What IPython calls its cells in tracebacks, by file name; IPython 7 calls them nothing."""
    found: dict[str, Any] = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return found


def _lines_of_other_cells(code: CellCode, shell: Any) -> dict[str, tuple[str, str]]:
    """The texts of the cells that were run here, as far as linecache has them: their functions may fail there."""
    found = {}
    for filename, label in tuple(labels_of(shell).items()):
        entry = linecache.cache.get(filename)
        if entry is not None and len(entry) == 4 and filename != code.filename:
            found[filename] = ("".join(entry[2]), f"{label}")
    return found
