"""How functions, classes, modules and instances are written into a fingerprint, and what is refused, with the reason."""

from __future__ import annotations

import collections.abc
import contextvars
import copyreg
import enum
import functools
import io
import logging
import operator
import socket
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.classes import write_class
from notebook_flows.fingerprints.code import write_function
from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import library_of
from notebook_flows.fingerprints.modules import write_module
from notebook_flows.fingerprints.walk import named

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk

_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_REFUSED: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (io.IOBase, "an open file: give its path, or what is in it"),
    (socket.socket, "a network connection"),
    (threading.Thread, "a running thread"),
    (weakref.ref, "a weak reference"),
    (contextvars.ContextVar, "a context variable: its value is another one in each context"),
    (types.GeneratorType, "a generator: what it will still give cannot be seen; give a list"),
    (types.CoroutineType, "a coroutine: it has not run yet"),
    (types.FrameType, "a frame of a running function"),
    (types.TracebackType, "a traceback"),
)


_TOLD_BY_ERRORS = ("filename", "filename2", "name", "path")
"""What errors of files and imports know beside their arguments."""


def writer_for(kind: type) -> Any:
    """What writes values of this type."""
    for refused, reason in _REFUSED:
        if issubclass(kind, refused):
            return _refusal(reason)
    for known, writer in _WRITERS:
        if issubclass(kind, known):
            return writer
    if issubclass(kind, collections.abc.Iterator):
        return _refusal("an iterator: what it will still give cannot be seen; give a list")
    if any(one.__module__.startswith("matplotlib.") and one.__name__ == "Artist" for one in kind.__mro__):
        return _refusal("a drawing, which holds all that is drawn on it: give what it shows, or the picture as a file")
    special = _of_ours(kind)
    return special if special is not None else _instance


def _of_ours(kind: type) -> Any:
    """What writes the objects of this package that users' functions name."""
    from notebook_flows.core.context import context
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task

    if issubclass(kind, Task):
        from notebook_flows.fingerprints.tasks import write_task

        return write_task
    if kind is type(context):
        return _refusal(
            "the run's context, which is another one in each run: take what you need of it as an argument, "
            "for example a Parameter"
        )
    return _refusal("a flow: what its run would do cannot be told") if issubclass(kind, Flow) else None


def _refusal(reason: str) -> Any:
    def refuse(walk: Walk, value: Any) -> None:
        raise Unhashable(f"{named(value)} is {reason}")

    return refuse


def _function(walk: Walk, value: Any) -> None:
    write_function(walk, value)


def _builtin(walk: Walk, value: Any) -> None:
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, types.ModuleType):
        walk.text("bound builtin", value.__qualname__)
        walk.inside(f"the object of {value.__qualname__!r}", owner)
        return
    module = value.__module__ or "builtins"
    walk.text("builtin function", library_of(module) or module, value.__qualname__)


def _descriptor(walk: Walk, value: Any) -> None:
    write_class(walk, value.__objclass__)
    walk.text("descriptor", value.__name__)


def _method(walk: Walk, value: types.MethodType) -> None:
    walk.put("method")
    write = value.__func__
    walk.inside(f"the method {write.__qualname__!r}", write)
    walk.inside(f"the object of {write.__qualname__!r}", value.__self__)


def _wrapping(walk: Walk, value: Any) -> None:
    walk.text("wrapping", type(value).__name__)
    walk.inside("what it wraps", value.__func__)


def _property(walk: Walk, value: property) -> None:
    walk.put("property")
    for one in (value.fget, value.fset, value.fdel):
        walk.value(one)


def _cached_property(walk: Walk, value: functools.cached_property[Any]) -> None:
    walk.put("cached property")
    walk.value(value.func)


def _partial(walk: Walk, value: functools.partial[Any]) -> None:
    walk.put("partial")
    walk.inside("the function of a partial", value.func)
    walk.inside("the arguments of a partial", value.args)
    walk.inside("the arguments of a partial", dict(sorted(value.keywords.items())))


def _lru_cache(walk: Walk, value: Any) -> None:
    walk.put("lru_cache")
    walk.inside("what it wraps", value.__wrapped__)


def _class(walk: Walk, value: type) -> None:
    write_class(walk, value)


def _alias(walk: Walk, value: Any) -> None:
    walk.text("type", str(value))
    for one in value.__args__:
        if isinstance(one, type) and library_of(one.__module__) is None:  # the text tells no more than its name
            write_class(walk, one)


def _module(walk: Walk, value: types.ModuleType) -> None:
    write_module(walk, value)


def _logger(walk: Walk, value: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    walk.text("logger", getattr(value, "name", type(value).__name__))  # where lines go, is no content


def _lock(walk: Walk, value: Any) -> None:
    walk.put("lock")


def _enum(walk: Walk, value: enum.Enum) -> None:
    walk.text("enum", str(value.name))
    write_class(walk, type(value))
    walk.inside(f"the value of {value!r}", value.value)


def _named_tuple(walk: Walk, value: tuple[Any, ...]) -> None:
    if type(value) is not tuple and hasattr(type(value), "_fields"):
        write_class(walk, type(value))
        walk.inside(f"a {type(value).__name__}", tuple(value))
        if getattr(value, "__dict__", None):
            walk.inside(f"the attributes of a {type(value).__name__}", dict(sorted(vars(value).items())))
        return
    _instance(walk, value)


def _exception(walk: Walk, value: BaseException) -> None:
    walk.put("exception")
    write_class(walk, type(value))
    walk.inside(f"the arguments of {type(value).__name__}", value.args)
    walk.inside(f"the attributes of {type(value).__name__}", dict(sorted(vars(value).items())))
    for name in _TOLD_BY_ERRORS:
        if getattr(value, name, None) is not None:
            walk.text("attribute", name)
            walk.inside(f"{type(value).__name__}.{name}", getattr(value, name))


def _getter(walk: Walk, value: Any) -> None:
    walk.text(type(value).__name__, repr(value))


def _instance(walk: Walk, value: Any) -> None:
    """An object as `copy` would take it apart: its class, its attributes, its elements. None that has rules of its own
    for that, for these may leave out what counts, or tell it in another order each time.
    """
    kind: Any = type(value)
    if (
        kind.__reduce_ex__ is not object.__reduce_ex__
        or kind.__reduce__ is not object.__reduce__
        or kind in copyreg.dispatch_table
    ):
        raise Unhashable(
            f"{named(value)} keeps its content in a way of its own: "
            f"give the class a method __fingerprint__, or tell notebook_flows.fingerprints.register({kind.__name__}, ...)"
        )
    try:
        _, arguments, state, elements, items = (*value.__reduce_ex__(4), None, None, None)[:5]
    except TypeError as error:
        raise Unhashable(f"{named(value)}: {error}") from None
    if not walk.enter(value):
        return
    walk.put("instance")
    write_class(walk, kind)
    what = f"a {kind.__qualname__}"
    walk.inside(what, arguments[1:])
    _state(walk, what, state)
    if getattr(kind, "__getstate__", None) is not object.__getstate__:  # it may leave out what counts
        walk.put("all of it")
        _state(walk, what, object.__getstate__(value))
    if elements is not None:
        walk.inside(what, list(elements))
    if items is not None:
        walk.inside(what, [list(pair) for pair in items])
    walk.leave(value)


def _state(walk: Walk, what: str, state: Any) -> None:
    """The attributes of an object, those of slots, too, or what else it says of itself."""
    for one in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(one, dict):
            for name, part in sorted(one.items(), key=lambda item: str(item[0])):
                walk.text("attribute", str(name))
                walk.inside(f"{what}.{name}", part)
        else:
            walk.inside(f"the state of {what}", one)


_WRITERS: tuple[tuple[Any, Any], ...] = (
    (types.FunctionType, _function),
    ((types.BuiltinFunctionType, types.MethodWrapperType), _builtin),
    (
        (
            types.WrapperDescriptorType,
            types.MethodDescriptorType,
            types.ClassMethodDescriptorType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
        ),
        _descriptor,
    ),
    (types.MethodType, _method),
    ((staticmethod, classmethod), _wrapping),
    (property, _property),
    (functools.cached_property, _cached_property),
    (functools.partial, _partial),
    (functools._lru_cache_wrapper, _lru_cache),
    (enum.EnumMeta, _class),
    (type, _class),
    ((types.GenericAlias, types.UnionType), _alias),
    (types.ModuleType, _module),
    ((logging.Logger, logging.LoggerAdapter), _logger),
    (_LOCKS, _lock),
    (enum.Enum, _enum),
    ((operator.itemgetter, operator.attrgetter, operator.methodcaller), _getter),
    (BaseException, _exception),
    (tuple, _named_tuple),
)
