"""A task cell in a worker process: its names, its run, and what it sends back."""

from __future__ import annotations

import asyncio
import builtins
import io
import linecache
import sys
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import NotTransferable
from notebook_flows.session.handback import NotInPlace, contents_of
from notebook_flows.session.minishell import MiniShell
from notebook_flows.session.namespace import difference
from notebook_flows.session.parcels import Packing, Place, UnreadableValue, UnsendableValue, arriving, sent_classes
from notebook_flows.session.remote import BACK, SentValues, labels_of
from notebook_flows.session.routing import install
from notebook_flows.session.running import around_cell, await_steps, run_steps
from notebook_flows.session.telling import TellingSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from notebook_flows.session.remote import Errand


def run_errand(errand: Errand) -> SentValues:
    """Run a cell for another process.

    Raises:
        NotTransferable: a value cannot be read here, or cannot be sent back.
        BaseException: what the cell raises; it has been shown.
    """
    code, sink, shell = errand.code, TellingSink(errand.listener), _shell(errand.colors)
    module = ModuleType("__main__")
    names = vars(module)
    names["__builtins__"] = builtins
    mini = MiniShell(names, shell=shell, strict_shell=errand.strict_shell)
    names["get_ipython"] = mini.get_ipython
    try:
        with _as_main(module), arriving(Place(names, {})):
            try:
                inputs = errand.inputs.opened(Place(names, {}))
            except UnreadableValue as problem:
                raise NotTransferable(
                    f"Task {code.name!r}: its input {problem.name!r} cannot be read in its process "
                    f"({type(problem.error).__name__}: {problem.error})."
                ) from problem.error
            _tell_lines(errand, shell)
            classes = sent_classes()
            names.update(inputs)
            before = dict(names)
            with around_cell(code, sink, shell) as watch, _explained(errand.left_out):
                if code.awaits:
                    asyncio.run(await_steps(code, names, sink, shell))
                else:
                    run_steps(code, names, sink, shell)
            return _sent_back(errand, before, names, inputs, classes)._replace(seen=watch.seen())
    finally:
        sink.flush()


def _shell(colors: str) -> Any:
    """The InteractiveShell of this process: displays, results and figures ask for one."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    if InteractiveShell.initialized():
        return InteractiveShell.instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = colors
    shell = InteractiveShell.instance(config=config)
    install(shell, catches_descriptors=True)
    return shell


@contextmanager
def _as_main(module: ModuleType) -> Iterator[None]:
    """Inside, this is the module that classes and functions of the notebook name as theirs."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def _tell_lines(errand: Errand, shell: Any) -> None:
    """Let tracebacks find the lines of this cell and of others."""
    label = errand.code.label.removeprefix("Cell In[").removesuffix("]")
    labels = labels_of(shell)
    labels[errand.code.filename] = label
    for filename, (text, other) in errand.lines.items():
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        labels[filename] = other


@contextmanager
def _explained(left_out: Mapping[str, str]) -> Iterator[None]:
    """An error about a name that could not be sent says so."""
    try:
        yield
    except NameError as error:
        if error.name is not None and error.name in left_out:
            error.add_note(
                f"{error.name!r} exists in the notebook, but could not be sent to this process ({left_out[error.name]}). "
                "Run the task in the kernel: `--executor threads`."
            )
        raise


def _sent_back(
    errand: Errand,
    before: Mapping[str, Any],
    names: dict[str, Any],
    inputs: Mapping[str, Any],
    classes: tuple[type, ...],
) -> SentValues:
    bound, deleted = difference(before, names, errand.code.facts)
    back, whole = _handed_back(errand, inputs)
    new = {id(inputs[name]) for name in whole}
    known = {name: value for name, value in inputs.items() if id(value) not in new}
    left_behind: dict[str, str] = {}
    while True:
        packing = Packing(lambda found: found is names, known=known, known_classes=classes)
        sent = [name for name in bound if name not in left_behind]
        try:
            for name in sent:
                packing.add(name, bound[name])
            for name, value in back.items():
                packing.add(f"{BACK}{name}", value)
        except UnsendableValue as problem:
            if not _may_stay(problem, errand.needed):
                raise _unsendable(errand, problem) from problem.error
            left_behind[problem.name] = f"{type(problem.error).__name__}: {problem.error}"
            continue
        return SentValues(
            parcel=packing.parcel(),
            bound=len(sent),
            whole=whole,
            deleted=deleted,
            unpredicted=frozenset((bound.keys() | deleted) - errand.predicted),
            left_behind=left_behind,
        )


def _handed_back(errand: Errand, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The inputs that may have changed: what is in them, or, of some, themselves; and the names of the latter."""
    back: dict[str, Any] = {}
    whole = set()
    changed = {id(inputs[name]) for name in errand.hands_back}
    for name in sorted(name for name, value in inputs.items() if id(value) in changed):  # other names of one, too
        value = inputs[name]
        if isinstance(value, _UNCHANGED):
            continue
        try:
            back[name] = contents_of(value)
        except NotInPlace:
            back[name] = value
            whole.add(name)
    return back, frozenset(whole)


_UNCHANGED = (type, ModuleType, FunctionType, BuiltinFunctionType, str, bytes, int, float, complex, bool, type(None))
"""What does not change, or not in a way that can be sent back."""


def _may_stay(problem: UnsendableValue, needed: frozenset[str] | None) -> bool:
    """Whether nobody misses a value: no other cell reads it, or it is a file that is closed."""
    if problem.name.startswith(BACK):
        return False
    if isinstance(problem.value, io.IOBase) and problem.value.closed:
        return True
    return needed is not None and problem.name not in needed


def _unsendable(errand: Errand, problem: UnsendableValue) -> NotTransferable:
    kind, error, name = type(problem.value), problem.error, problem.name
    what = f"may have changed its input {name.removeprefix(BACK)!r}" if name.startswith(BACK) else f"has bound {name!r}"
    return NotTransferable(
        f"Task {errand.code.name!r} {what}, a {kind.__module__}.{kind.__qualname__}, which cannot be sent back from its "
        f"process ({type(error).__name__}: {error}). Delete it at the end of the cell, or run the task in the kernel: "
        "`--executor threads`."
    )
