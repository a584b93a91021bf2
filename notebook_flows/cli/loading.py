"""A user's Python file as a module, and the flows in it."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

    from notebook_flows.core.flow import Flow

OUR_FOLDER = str(Path(__file__).parent.parent)


class FileError(FlowError, ValueError):
    """A file that cannot be used: not there, not readable, or its own code fails."""


class Target(NamedTuple):
    """What a command was pointed at.

    Attributes:
        path: absolute.
        flow_name: the flow in it, by variable or name; None: the only one.
    """

    path: Path
    flow_name: str | None

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook; else it is Python."""
        return self.path.suffix.lower() == ".ipynb"


def is_file_name(text: str) -> bool:
    """Whether a word names a file with flows, not a run.

    >>> is_file_name("etl.py:nightly"), is_file_name("3f2a")
    (True, False)
    """
    return "://" in text or text.partition(":")[0].lower().endswith((".py", ".ipynb")) or Path(text).is_file()


def target_of(text: str) -> Target:
    """The file, and the flow in it, that a word names.

    Raises:
        FileError: there is no such file, or it is neither Python nor a notebook.
    """
    if not text.strip():
        raise FileError(f"{text!r} names no file: give a Python file (.py) or a notebook (.ipynb).")
    if "://" in text:
        text = _fetched(text)
    path, flow_name = Path(text), None
    if not path.exists() and ":" in text:
        before, _, name = text.rpartition(":")
        path, flow_name = Path(before), name or None
    if path.is_dir():
        raise FileError(f"{path} is a folder. Name a file in it.")
    if not path.is_file():
        raise FileError(_why_no_file(path))
    target = Target(path.absolute(), flow_name)
    if path.suffix.lower() not in {".py", ".ipynb"}:
        raise FileError(f"{path} is neither a Python file (.py) nor a notebook (.ipynb).")
    if target.is_notebook and flow_name is not None:
        raise FileError(f"{path} is a notebook, which is one flow: leave out {':' + flow_name!r}.")
    return target


def _fetched(text: str) -> str:
    """The file here with the notebook of an address.

    Raises:
        FileError: it is no address of a notebook.
        NotebookError: it cannot be read.
    """
    from notebook_flows.notebook.addresses import fetched, is_address

    if not is_address(text):
        return text
    if not text.partition("?")[0].lower().endswith(".ipynb"):
        raise FileError(f"{text} is an address; what can be run from there are notebooks, whose names end like .ipynb.")
    return str(fetched(text))


def _why_no_file(path: Path) -> str:
    if path.exists():
        return f"{path} is no ordinary file."
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which does not exist."
    return f"There is no file {path}.{_near(path)}"


def _near(path: Path) -> str:
    try:
        names = [one.name for one in path.parent.iterdir() if one.suffix in {".py", ".ipynb"}]
    except OSError:
        return f" Nor is there a folder {path.parent}."
    return did_you_mean(path.name, names)


def flow_in(target: Target) -> Flow:
    """The one flow that is meant.

    Raises:
        FileError: the file fails, has no such flow, or has several and none is named.
    """
    found = flows_in(target.path)
    name, path = target.flow_name, shown(target.path)
    if not found:
        raise FileError(f"{path} has no flow: none of its variables is a Flow.")
    if name is None:
        if len(found) == 1:
            return next(iter(found.values()))
        listed = "\n".join(f"  {path}:{variable}" for variable in found)
        raise FileError(f"{path} has {len(found)} flows. Name one:\n{listed}")
    if name in found:
        return found[name]
    called = [flow for flow in found.values() if flow.name == name]
    if len(called) == 1:
        return called[0]
    if called:
        variables = ", ".join(variable for variable, flow in found.items() if flow.name == name)
        raise FileError(f"{path} has {len(called)} flows named {name!r}. Name one by its variable: {variables}.")
    known = list(dict.fromkeys([*found, *(flow.name for flow in found.values())]))
    raise FileError(f"{path} has no flow {name!r}.{did_you_mean(name, known)} Its flows: {', '.join(found)}.")


def flows_in(path: Path) -> dict[str, Flow]:
    """{variable: flow} of a file, which is loaded without its ``if __name__ == "__main__"`` part.

    Raises:
        FileError: its code fails; the message has the traceback, from the file on.
    """
    from notebook_flows.core.flow import Flow

    module = _loaded(path)
    found: dict[str, Flow] = {}
    for variable, value in vars(module).items():
        if isinstance(value, Flow) and all(value is not flow for flow in found.values()):
            found[variable] = value
    return found


def _loaded(path: Path) -> ModuleType:
    """The file as a module that workers in other processes can import by the same name."""
    root, name = _import_name(path)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    is_findable = name not in sys.modules and _finds(name, path)
    if not is_findable:
        name = f"flows_of_{''.join(one if one.isalnum() else '_' for one in path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    arguments, sys.argv = sys.argv, [str(path)]  # a file that looks at them must not read ours
    try:
        if "." in name:
            importlib.import_module(name.rpartition(".")[0])
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's own code raises, SystemExit too
        raise FileError(f"{shown(path)} cannot be loaded:\n\n{told(error, path)}") from error
    finally:
        sys.argv = arguments
    if not is_findable:  # no worker would find it by its name: what it defines travels by value
        import cloudpickle

        cloudpickle.register_pickle_by_value(module)
        module.__spec__ = None
    return module


def _import_name(path: Path) -> tuple[Path, str]:
    """The folder to search, and the name to import: a file of a package is loaded as a part of it."""
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file() and root.name.isidentifier():
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)


def _finds(name: str, path: Path) -> bool:
    """Whether an import of this name, anywhere with our ``sys.path``, finds this very file."""
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin) == path


def told(error: BaseException, path: Path) -> str:
    """The traceback of an error in a user's file: from that file on, and nothing of ours."""
    if isinstance(error, SystemExit):
        return f"It ends the interpreter: sys.exit({error.code!r})."
    if isinstance(error, SyntaxError) and not _enters(error.__traceback__, path):
        return "".join(traceback.format_exception_only(error)).rstrip()
    whole = traceback.TracebackException.from_exception(error)
    for one in _chain(whole):
        frames = [frame for frame in one.stack if not _is_ours(frame.filename)]
        files = [frame.filename for frame in frames]
        start = files.index(str(path)) if str(path) in files else 0
        one.stack = traceback.StackSummary.from_list(frames[start:])
    return "".join(whole.format()).rstrip()


def _chain(whole: traceback.TracebackException) -> list[traceback.TracebackException]:
    """The error, and those that led to it."""
    found: list[traceback.TracebackException] = []
    waiting: list[traceback.TracebackException | None] = [whole]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__]
    return found


def _enters(trace: TracebackType | None, path: Path) -> bool:
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            return True
        trace = trace.tb_next
    return False


def _is_ours(file: str) -> bool:
    return file.startswith((OUR_FOLDER, "<frozen importlib"))


def shown(path: Path) -> str:
    """A path as short as it can be told here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
