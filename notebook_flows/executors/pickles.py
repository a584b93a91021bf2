"""Values and exceptions as bytes that any process can read, and nothing in them that breaks the reader."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 5
_SCRIPTS = frozenset({"__main__", "__mp_main__"})
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def dumps(value: Any) -> bytes:
    """A value as bytes that ``pickle.loads`` reads anywhere; what is defined in a notebook or script goes along.

    Plain pickle where all is importable, as it is ten times faster; cloudpickle where something is not.

    Raises:
        Exception: whatever pickling this value raises.
    """
    if type(value) in _ATOMS:
        return pickle.dumps(value, PROTOCOL)
    if not _is_cloudpickle_told_otherwise():
        file = BytesIO()
        try:
            _ImportableOnly(file, PROTOCOL).dump(value)
        except Exception:  # noqa: S110 - cloudpickle tries next, and says what is wrong if it cannot either
            pass
        else:
            return file.getvalue()
    import cloudpickle

    data: bytes = cloudpickle.dumps(value, PROTOCOL)
    return data


def is_importable(thing: Any) -> bool:
    """Whether a function or class can be found by its name in another process too."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module is None or name is None or module in _SCRIPTS:
        return False
    return _at(sys.modules.get(module), name) is thing


def is_run_of_task(function: FunctionType) -> bool:
    """Whether a module that others can import has, under the function's name, the task that was made of it."""
    module = function.__module__
    if module in _SCRIPTS or module not in sys.modules:
        return False
    made = _at(sys.modules[module], function.__qualname__)
    return getattr(made, "__dict__", {}).get("run") is function and _is_on_path(module)


def run_of(module: str, name: str) -> Any:
    """The function of a module's task."""
    return _at(import_module(module), name).run


def _at(found: Any, name: str) -> Any:
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_on_path(module: str) -> bool:
    """Whether the module is one that any process with our ``sys.path`` finds; not one loaded from a file by hand."""
    spec = getattr(sys.modules.get(module.partition(".")[0]), "__spec__", None)
    places = (spec and (spec.submodule_search_locations or [spec.origin])) or []
    return any(place and str(Path(place).parent) in sys.path for place in places)


def _is_cloudpickle_told_otherwise() -> bool:
    """Whether the user has asked cloudpickle to send whole modules by value."""
    cloudpickle = sys.modules.get("cloudpickle")
    return cloudpickle is not None and bool(cloudpickle.list_registry_pickle_by_value())


class _ImportableOnly(pickle.Pickler):
    """Gives up at the first function or class that must travel by value."""

    def reducer_override(self, thing: Any) -> Any:
        if (type(thing) is FunctionType or isinstance(thing, type)) and not is_importable(thing):
            raise pickle.PicklingError
        return NotImplemented


# -- exceptions --------------------------------------------------------------------------------------------------------


def dump_exception(error: BaseException) -> bytes:
    """An exception as bytes that have been read back once; empty if no way was found.

    First as it pickles itself; then, where its ``__init__`` wants other arguments than ``args`` has, without calling
    ``__init__``; then without those attributes that cannot be pickled.
    """
    for reduced in (lambda: error, lambda: _Bare(error, dict(vars(error))), lambda: _Bare(error, _sendable(error))):
        try:
            data = dumps(reduced())
            again = pickle.loads(data)
        except BaseException:  # noqa: S112 - unpickling runs the user's code, which may raise anything: the next way is tried
            continue
        if isinstance(again, BaseException) and type(again).__qualname__ == type(error).__qualname__:
            return data
    return b""


def words_of(error: BaseException) -> tuple[str, str, str]:
    """(class, sentence, traceback text) of an exception, whatever its own methods raise."""
    from traceback import format_exception

    kind = type(error)
    type_name = (
        kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}.{kind.__qualname__}"
    )
    return type_name, _said(lambda: str(error), ""), _said(lambda: "".join(format_exception(error)), f"{type_name}\n")


def load_exception(data: bytes, words: tuple[str, str, str] | None) -> BaseException:
    """The exception that `dump_exception` has written, with the remote traceback as its cause.

    Where it cannot be read here, a `RemoteError` says its class and sentence.
    """
    type_name, sentence, traceback = words or ("Exception", "", "")
    try:
        error = pickle.loads(data) if data else None
    except BaseException:  # as above: the user's code
        error = None
    if not isinstance(error, BaseException):
        error = RemoteError(type_name, sentence)
    if traceback:
        error.__cause__ = RemoteTraceback(traceback)
    return error


class RemoteTraceback(Exception):  # noqa: N818 - the name that concurrent.futures has for it
    """The traceback of an exception that was raised in another process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class _Bare:
    """Pickles as the exception itself, to be made without its ``__init__``."""

    def __init__(self, error: BaseException, attributes: dict[str, Any]) -> None:
        self._parts = (type(error), error.args, attributes)

    def __reduce__(self) -> Any:
        return _exception_from, self._parts


def _exception_from(kind: type[BaseException], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


def _sendable(error: BaseException) -> dict[str, Any]:
    """Those attributes that can be pickled."""
    kept = {}
    for name, value in vars(error).items():
        try:
            pickle.loads(dumps(value))
        except BaseException:  # noqa: S112 - as above; what cannot travel stays behind
            continue
        kept[name] = value
    return kept


def _said(say: Callable[[], str], otherwise: str) -> str:
    try:
        return say()
    except BaseException:  # an exception's own __str__ may fail: then its class has to do
        return otherwise
