"""Standard streams that give a task's text to its sink, and all other text to whom they always gave it."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

from notebook_flows.session.routes import Route, current_route, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAMES = ("stdout", "stderr")


@contextmanager
def streams_routed() -> Iterator[bool]:
    """Inside, text of tasks goes to their sinks; gives whether the kernel catches file descriptors too."""
    undo = []
    watches = False
    for name in NAMES:
        stream = _stream_behind(getattr(sys, name), name)
        if stream is not None and not _is_routed(stream):
            watches = watches or bool(getattr(stream, "_should_watch", False))
            undo.append(_by_class(stream, name) or _by_proxy(stream, name))
    try:
        yield watches
    finally:
        for undone in undo:
            undone()


def are_streams_routed() -> bool:
    """Whether text of tasks finds its way now: `%%capture` puts other streams in the place of those that were routed."""
    streams = (_stream_behind(getattr(sys, name), name) for name in NAMES)
    return all(stream is None or _is_routed(stream) for stream in streams)


def _is_routed(stream: Any) -> bool:
    return isinstance(stream, RoutedStdout) or isinstance(vars(type(stream)).get("write"), _Write)


def _stream_behind(stream: Any, name: str) -> Any:
    """The kernel's own stream, where ipyflow has put one before it that keeps a copy of what a cell prints."""
    tee = getattr(stream, "__dict__", {}).get("_capture_output_tee")
    return stream if tee is None else getattr(tee, f"sys_{name}", stream)


def _by_class(stream: Any, name: str) -> Callable[[], None] | None:
    """A stream written in Python, as a kernel's: the object stays, whoever holds it."""
    before = type(stream)
    if not hasattr(before, "write"):
        return None  # it passes all on to another

    def flush(self: Any) -> None:
        route = _route()
        if route is None:
            before.flush(self)
        else:
            _flush(route)

    def close(self: Any) -> None:
        if _route() is None:
            before.close(self)
        else:
            self.flush()  # one task cannot close what all print to: a kernel's stream would wait for its thread for ever

    members = {
        "write": _Write(name, before.write.__get__),
        "flush": flush,
        "close": close,
        "__module__": before.__module__,
        "__qualname__": before.__qualname__,
    }
    try:
        stream.__class__ = type(before.__name__, (before,), members)
    except TypeError:  # one of C
        return None

    found = ref(stream)  # what `%%capture` has kept is let go with its variable

    def undone() -> None:
        stream = found()
        if stream is not None:
            stream.__class__ = before

    return undone


def _by_proxy(stream: Any, name: str) -> Callable[[], None]:
    """A stream of C, as a terminal's: something stands before it, also in the logging handlers that hold it."""
    proxy = (RoutedStdout if name == "stdout" else RoutedStderr)(stream)
    setattr(sys, name, proxy)
    handlers = [one for one in _handlers() if getattr(one, "stream", None) is stream]
    for handler in handlers:
        handler.stream = proxy

    found = ref(proxy)

    def undone() -> None:
        proxy = found()
        if proxy is None:
            return
        if getattr(sys, name) is proxy:
            setattr(sys, name, proxy._routed_stream)
        for handler in handlers:
            if handler.stream is proxy:
                handler.stream = proxy._routed_stream

    return undone


class RoutedWrite:
    """``stream.write`` at one moment.

    Args:
        name: of the stream.
        inner: what writes the text of nobody.
    """

    __slots__ = ("_name", "inner")

    def __init__(self, name: str, inner: Callable[..., Any]) -> None:
        self._name = name
        self.inner = inner

    def __call__(self, string: Any, *args: Any, **more: Any) -> Any:
        """Print this."""
        route = current_route()
        if route is None:
            route = _only_route() if running().routes else None
            if route is None:
                return self.inner(string, *args, **more)
        if not isinstance(string, str):
            reason = f"write() argument must be str, not {type(string).__name__}"
            raise TypeError(reason)
        route.write(self._name, string)
        return len(string)


class _Write:
    """The attribute ``write``.

    While a cell runs, IPython 9 puts a function of its own into it, which keeps all text for the history, and afterwards
    the one that it has found. A task's text must not come so far, so this is asked first, whatever is put there.
    """

    def __init__(self, name: str, default: Callable[[Any], Callable[..., Any]]) -> None:
        self._name = name
        self._default = default

    def __get__(self, stream: Any, owner: Any = None) -> Any:
        if stream is None:
            return self._of_the_class
        own = vars(stream).get("write")
        return RoutedWrite(self._name, own if own is not None else self._default(stream))

    def _of_the_class(self, stream: Any, string: Any) -> Any:
        """``type(stream).write``, by which ipyflow goes past what has been put into the attribute."""
        return RoutedWrite(self._name, self._default(stream))(string)

    def __set__(self, stream: Any, write: Any) -> None:
        vars(stream)["write"] = write.inner if isinstance(write, RoutedWrite) else write

    def __delete__(self, stream: Any) -> None:
        vars(stream).pop("write", None)


class RoutedStdout:
    """Stands before a stream and is it in all, but for the text of tasks."""

    write = _Write("stdout", lambda self: self._routed_stream.write)

    def __init__(self, stream: Any) -> None:
        self._routed_stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._routed_stream, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._routed_stream)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print all of these."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is held back for long."""
        route = _route()
        if route is None:
            self._routed_stream.flush()
        else:
            _flush(route)

    def close(self) -> None:
        """One task cannot close what all print to."""
        if _route() is None:
            self._routed_stream.close()
        else:
            self.flush()


class RoutedStderr(RoutedStdout):
    """The same, for the other stream."""

    write = _Write("stderr", lambda self: self._routed_stream.write)


def _route() -> Route | None:
    return current_route() or _only_route()


def _only_route() -> Route | None:
    """In a thread that Python has not started, that of the only task that runs."""
    return running().only() if isinstance(threading.current_thread(), threading._DummyThread) else None


def _flush(route: Route) -> None:
    hurry = getattr(route.sink, "hurry", None)
    if hurry is not None:
        hurry()


def _handlers() -> Iterator[Any]:
    for reference in list(logging._handlerList):  # type: ignore[attr-defined] # no other way to find them all
        handler = reference()
        if handler is not None:
            yield handler
