"""IPython's publishers, which give what a task shows to its sink."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

from notebook_flows.engine.wording import said
from notebook_flows.session.routes import current_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK = "_is_routed_by_notebook_flows"


@contextmanager
def publisher_routed(shell: Any) -> Iterator[None]:
    """Inside, ``display`` belongs to the task that makes it."""
    publisher = _publisher_behind(shell.display_pub)
    undone = _with_methods(publisher, publish=_publish, clear_output=_clear_output)
    try:
        yield
    finally:
        undone()


def is_publisher_routed(shell: Any) -> bool:
    """Whether that is so now: `%%capture` puts another publisher in the place of the one that was routed."""
    return hasattr(type(_publisher_behind(shell.display_pub)), _MARK)


def _publisher_behind(publisher: Any) -> Any:
    """The kernel's own, where ipyflow has put one before it, for one cell, that keeps a copy of what the cell shows."""
    while (inner := getattr(publisher, "__dict__", {}).get("pub1")) is not None:
        publisher = inner
    return publisher


@contextmanager
def displays_routed(shell: Any) -> Iterator[None]:
    """Inside, results, tracebacks and the messages of widgets belong to the task that makes them."""
    undo = [
        _with_methods(shell.displayhook, __call__=_show_result),
        _with_attribute(shell, "_showtraceback", _show_traceback),
    ]
    kernel = getattr(shell, "kernel", None)
    if hasattr(kernel, "get_parent"):
        undo.append(_with_attribute(kernel, "get_parent", _get_parent))
    try:
        yield
    finally:
        for undone in reversed(undo):
            undone()


def show_result(shell: Any, value: Any) -> None:
    """The value of a task's last expression, in whatever forms it has, goes to the sink of the calling code."""
    route = current_route()
    if value is None or route is None:
        return
    data, metadata = shell.display_formatter.format(value)
    if data:
        route.catch_up()
        route.sink.result(data, metadata)


def _publish(before: Callable[..., Any], self: Any, data: Any, metadata: Any = None, *args: Any, **more: Any) -> None:
    route = current_route()
    if route is None:
        before(self, data, metadata, *args, **more)
        return
    self._validate_data(data, metadata)
    show = route.sink.update if more.get("update") else route.sink.display
    route.catch_up()
    show(data, metadata or {}, more.get("transient") or {})


def _clear_output(before: Callable[..., Any], self: Any, wait: bool = False) -> None:
    route = current_route()
    if route is None:
        before(self, wait)
        return
    route.catch_up()
    route.sink.clear(wait=wait)


def _show_result(before: Callable[..., Any], self: Any, result: Any = None) -> None:
    if current_route() is None:
        before(self, result)
    else:
        show_result(self.shell, result)


def _show_traceback(before: Callable[..., Any], etype: Any, evalue: Any, stb: Any) -> None:
    route = current_route()
    if route is None:
        before(etype, evalue, stb)
        return
    route.catch_up()
    route.sink.error(str(etype.__name__), said(evalue), list(stb))


def _get_parent(before: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """The request that widgets and their comms name as the cause of what they do."""
    route = current_route()
    parent = getattr(route.root.sink, "parent", None) if route is not None else None
    return before(*args, **more) if parent is None else parent


def _with_methods(thing: Any, **methods: Callable[..., Any]) -> Callable[[], None]:
    """The object stays, whoever holds it; these methods of it ask the task first."""
    before: Any = type(thing)

    def calling(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(before, name)

        def called(self: Any, *args: Any, **more: Any) -> Any:
            return method(original, self, *args, **more)

        return called

    members: dict[str, Any] = {name: calling(name, method) for name, method in methods.items()}
    members |= {
        _MARK: True,
        "__module__": before.__module__,
        "__qualname__": before.__qualname__,
        "__doc__": before.__doc__,
    }
    thing.__class__ = type(before)(before.__name__, (before,), members)
    found = ref(thing)  # what `%%capture` has kept is let go with its variable

    def undone() -> None:
        thing = found()
        if thing is not None:
            thing.__class__ = before

    return undone


def _with_attribute(thing: Any, name: str, function: Callable[..., Any]) -> Callable[[], None]:
    original = getattr(thing, name)

    def called(*args: Any, **more: Any) -> Any:
        return function(original, *args, **more)

    has_own = name in vars(thing)
    setattr(thing, name, called)

    def undone() -> None:
        if vars(thing).get(name) is not called:
            return  # somebody has put something over ours
        if has_own:
            setattr(thing, name, original)
        else:
            delattr(thing, name)

    return undone
