"""``redirect_stdout`` and ``capture_output`` in a task catch what that task prints, and nobody else's text."""

from __future__ import annotations

import contextlib
from io import StringIO
from typing import TYPE_CHECKING, Any

from notebook_flows.session.routes import Route, current_route, follow, following

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from notebook_flows.session.outputs import Sink


@contextlib.contextmanager
def redirects_routed() -> Iterator[None]:
    """Inside, these two leave ``sys.stdout`` alone where a task uses them: it is one for all tasks."""
    from IPython.utils.capture import capture_output

    redirect: Any = contextlib._RedirectStream
    undo = [
        _managed(redirect, lambda self: Redirected(self._stream, self._new_target), lambda self, _: self._new_target),
        _managed(capture_output, Captured.asked_by, lambda _, sink: sink.captured()),
    ]
    try:
        yield
    finally:
        for undone in undo:
            undone()


class Redirected:
    """One of the streams goes into a file of the user's, all else to the sink around.

    Args:
        name: ``stdout`` or ``stderr``.
        target: what `contextlib.redirect_stdout` was given.
    """

    def __init__(self, name: str, target: Any) -> None:
        self.name = name
        self.target = target
        route = current_route()
        assert route is not None, "only tasks are redirected here"
        self._way = route
        self.outer: Sink = route.sink

    def stream(self, name: str, text: str) -> None:
        """It has printed."""
        if name != self.name:
            self.outer.stream(name, text)
        elif self.target is not None:
            with following(self._way):  # the target may be one of the routed streams itself
                self.target.write(text)

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something."""
        self.outer.display(data, metadata, transient)

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown."""
        self.outer.update(data, metadata, transient)

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of the last expression."""
        self.outer.result(data, metadata)

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception."""
        self.outer.error(ename, evalue, traceback)

    def clear(self, *, wait: bool) -> None:
        """What was shown goes away."""
        self.outer.clear(wait=wait)


class Captured(Redirected):
    """Streams and displays are kept for the user, as ``%%capture`` does.

    Args:
        stdout: keep this stream.
        stderr: keep this one.
        display: keep what is displayed.
    """

    def __init__(self, *, stdout: bool = True, stderr: bool = True, display: bool = True) -> None:
        super().__init__("", None)
        self.texts = {name: StringIO() for name, kept in (("stdout", stdout), ("stderr", stderr)) if kept}
        self.shown: list[dict[str, Any]] | None = [] if display else None

    @classmethod
    def asked_by(cls, asking: Any) -> Captured:
        """What a ``capture_output`` asks for."""
        return cls(stdout=asking.stdout, stderr=asking.stderr, display=asking.display)

    def captured(self) -> Any:
        """What the user gets."""
        from IPython.utils.capture import CapturedIO

        return CapturedIO(self.texts.get("stdout"), self.texts.get("stderr"), self.shown)

    def stream(self, name: str, text: str) -> None:
        """It has printed."""
        if name in self.texts:
            self.texts[name].write(text)
        else:
            self.outer.stream(name, text)

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something."""
        if self.shown is None:
            self.outer.display(data, metadata, transient)
        else:
            self.shown.append({"data": data, "metadata": metadata, "transient": transient, "update": False})

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown."""
        if self.shown is None:
            self.outer.update(data, metadata, transient)
        else:
            self.shown.append({"data": data, "metadata": metadata, "transient": transient, "update": True})

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of the last expression."""
        if self.shown is None:
            self.outer.result(data, metadata)
        else:
            self.shown.append({"data": data, "metadata": metadata})

    def clear(self, *, wait: bool) -> None:
        """What was shown goes away."""
        if self.shown is None:
            self.outer.clear(wait=wait)
        else:
            self.shown.clear()


def _managed(managed: Any, sink_for: Callable[[Any], Any], given: Callable[[Any, Any], Any]) -> Callable[[], None]:
    """A context manager of others, which in a task changes the task's way instead of ``sys``."""
    enter, leave = managed.__enter__, managed.__exit__

    def enter_routed(self: Any) -> Any:
        route = current_route()
        ways = vars(self).setdefault("_notebook_flows_ways", [])
        ways.append(route)
        if route is None:
            return enter(self)
        sink = sink_for(self)
        follow(Route(sink, inside=route))
        return given(self, sink)

    def leave_routed(self: Any, *exception: Any) -> Any:
        ways = vars(self).get("_notebook_flows_ways") or [None]
        route = ways.pop()
        if route is None:
            return leave(self, *exception)
        follow(route)
        return None

    managed.__enter__, managed.__exit__ = enter_routed, leave_routed

    def undone() -> None:
        if managed.__enter__ is enter_routed:
            managed.__enter__ = enter
        if managed.__exit__ is leave_routed:
            managed.__exit__ = leave

    return undone
