"""What a task's function asks for, read once per function, and how a call is fitted to it."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESERVED = ("upstream_tasks", "mapped", "task_args", "flow")
CONTEXT_ARGUMENT = "context"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """The arguments of a task's function.

    Attributes:
        positional: those that may be given by position, in order.
        names: all that may be given by name.
        required: those without a default; ``context`` is not among them, for the run gives it.
        takes_any_name: the function has ``**kwargs``.
        wants_context: it has an argument named ``context``.
        is_async: it is a coroutine function, or a ``partial`` of one, or an object whose ``__call__`` is one.
        wraps_async: it is none, but `functools.wraps` one: what it returns may have to be awaited, or was already.
        tuple_size: k if it says that it returns ``tuple[a, b, ...]`` of k, else None.
    """

    positional: tuple[str, ...]
    names: frozenset[str]
    required: frozenset[str]
    takes_any_name: bool
    wants_context: bool
    is_async: bool
    tuple_size: int | None
    wraps_async: bool = False


_known: WeakKeyDictionary[Any, Signature] = WeakKeyDictionary()


def signature_of(function: Callable[..., Any]) -> Signature:
    """What this function asks for.

    Raises:
        ValueError: it takes ``*args``, has an argument with a reserved name, or cannot be inspected (builtins).
        TypeError: it has positional-only arguments.
    """
    key = getattr(function, "__func__", function)
    try:
        found = _known.get(key)
    except TypeError:  # an unhashable or unweakrefable callable: read anew each time
        return _read(function)
    if found is None:
        found = _read(function)
        try:
            _known[key] = found
        except TypeError:  # builtins cannot be weakly referenced; a few of them have signatures
            return found
    return found


def check_signature(function: Callable[..., Any]) -> None:
    """Raise what `signature_of` raises, without keeping anything: for functions that still lack their ``self``."""
    _read(function)


def _read(function: Callable[..., Any]) -> Signature:
    name = getattr(function, "__name__", repr(function))
    try:
        parameters = inspect.signature(function).parameters
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"The arguments of {name!r} cannot be inspected, as with many built-in functions. "
            f"Wrap it: `@task\ndef {name}_task(x): return {name}(x)`."
        ) from error
    kinds = {p.kind for p in parameters.values()}
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        raise ValueError(
            f"Task {name!r} takes *args, whose edges would have no names. Give each argument a name, or take one list."
        )
    if taken := [r for r in RESERVED if r in parameters]:
        raise ValueError(
            f"Task {name!r} has an argument named {taken[0]!r}, which calls of tasks use themselves "
            f"(reserved: {', '.join(RESERVED)}). Rename it."
        )
    if only := [p.name for p in parameters.values() if p.kind is inspect.Parameter.POSITIONAL_ONLY]:
        raise TypeError(
            f"Task {name!r} has the positional-only argument {only[0]!r}; tasks get their arguments by name. "
            "Remove the `/`."
        )
    named = [p for p in parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    return Signature(
        positional=tuple(p.name for p in named if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD),
        names=frozenset(p.name for p in named),
        required=frozenset(p.name for p in named if p.default is p.empty and p.name != CONTEXT_ARGUMENT),
        takes_any_name=inspect.Parameter.VAR_KEYWORD in kinds,
        wants_context=CONTEXT_ARGUMENT in parameters,
        is_async=_is_async(function),
        tuple_size=_tuple_size(function),
        wraps_async=not _is_async(function) and hasattr(function, "__wrapped__") and _is_async(_innermost(function)),
    )


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - which kind of call it is, not whether there is one


def _innermost(function: Any) -> Any:
    try:
        return inspect.unwrap(function)
    except ValueError:  # it wraps itself
        return function


def _tuple_size(function: Callable[..., Any]) -> int | None:
    import typing

    annotation = getattr(function, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        try:
            annotation = typing.get_type_hints(function).get("return")
        except Exception:  # an annotation may name what exists only for type checkers; then nothing is known
            return None
    if typing.get_origin(annotation) is not tuple:
        return None
    parts = typing.get_args(annotation)
    if not parts or Ellipsis in parts:
        return None
    return len(parts)


def fitted(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name.

    Raises:
        TypeError: they do not fit; the message says which and names the likely slip.
    """
    positional = signature.positional
    if len(args) > len(positional):
        raise TypeError(
            f"too many positional arguments: it takes {_counted(positional)}, and {len(args)} "
            f"{'was' if len(args) == 1 else 'were'} given."
        )
    arguments = dict(zip(positional, args, strict=False))
    if not kwargs and len(args) == len(positional) == len(signature.names):
        return arguments
    if kwargs:
        for name in kwargs:
            if name in arguments:
                raise TypeError(f"multiple values for argument {name!r}.")
            if name not in signature.names and not signature.takes_any_name:
                known = ", ".join(sorted(signature.names)) or "none"
                raise TypeError(
                    f"got an unexpected keyword argument {name!r}.{did_you_mean(name, signature.names)} "
                    f"Its arguments: {known}."
                )
        arguments.update(kwargs)
    if len(arguments) < len(signature.required) or not signature.required <= arguments.keys():
        missing = [n for n in (*positional, *sorted(signature.names)) if n in signature.required and n not in arguments]
        listed = ", ".join(repr(n) for n in dict.fromkeys(missing))
        raise TypeError(f"missing a required argument: {listed}.")
    return arguments


def _counted(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    return f"{len(names)} ({', '.join(names)})"
