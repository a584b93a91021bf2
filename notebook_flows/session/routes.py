"""The way of a task's output: a context variable, and the tasks that run just now."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from notebook_flows.session.taps import Descriptors, Tap, flush_native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from notebook_flows.session.outputs import Sink


class Route:
    """The way of a task's output.

    Args:
        sink: where it goes.
        inside: the task's own route, if this one catches part of its output.

    Attributes:
        figures: those of pyplot that the task has open.
        names: the task's own, while it runs; None: it has none.
    """

    def __init__(self, sink: Sink, inside: Route | None = None) -> None:
        self.sink = sink
        self.root: Route = inside.root if inside is not None else self
        self.names: dict[str, Any] | None = None
        self.figures: OrderedDict[Any, Any] = inside.figures if inside is not None else OrderedDict()
        self._tap: Tap | None = None
        self._lock = threading.RLock()
        self._has_ended = False

    def write(self, name: str, text: str) -> None:
        """It has printed."""
        if _forked:
            self._write_from_fork(name, text)
            return
        self.catch_up()
        self.sink.stream(name, text)

    def catch_up(self) -> None:
        """What its children and native code have written so far comes first."""
        tap = self.root._tap
        if tap is not None:
            tap.drain()

    def tap(self) -> Tap:
        """The pipes that lead here, made when they are needed first."""
        root = self.root
        with root._lock:
            if root._tap is None:
                root._tap = Tap(root.sink.stream)
                if root._has_ended:
                    root._tap.close()
            return root._tap

    def end(self) -> None:
        """The task is over."""
        with self._lock:
            self._has_ended = True
            tap = self._tap
        if tap is not None:
            tap.drain()
            tap.close()

    def _write_from_fork(self, name: str, text: str) -> None:
        """A forked child has our memory, but no threads of ours, and locks that nobody opens."""
        tap = self.root._tap
        writer = tap.writer(name) if tap is not None else None
        raw = text.encode("utf-8", "replace")
        while raw:
            raw = raw[os.write(writer if writer is not None else 1 + (name == "stderr"), raw) :]


class Running:
    """The tasks that run just now, and where the process's file descriptors lead meanwhile.

    Attributes:
        routes: of these tasks.
        windings_up: called at the end of each, while its output still goes its way.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.routes: list[Route] = []
        self.catches_descriptors = False
        self.unattributed: Callable[[str, str], None] | None = None
        self.windings_up: list[Callable[[], None]] = []
        self._nobodys: Tap | None = None
        self._descriptors = Descriptors()

    def catch_descriptors(self, *, catches: bool) -> None:
        """Whether what a task writes past Python is its output."""
        with self.lock:
            self._descriptors.lead_to(None)
            self._close_nobodys()
            self.catches_descriptors = catches
            self._lead()

    def tell_unattributed(self, take: Callable[[str, str], None] | None) -> None:
        """Who gets what nobody knows the task of; None: it goes where it went before.

        Whoever got it until now has all that was written so far; what is written later into the old pipe, by children
        that several tasks have left behind, goes where it would go without us.
        """
        with self.lock:
            self._close_nobodys()
            self.unattributed = take
            self._lead()

    def begin(self, route: Route) -> None:
        """One more task runs."""
        with self.lock:
            self.routes.append(route)
            self._lead()

    def end(self, route: Route) -> None:
        """One task less runs."""
        if self.catches_descriptors:
            flush_native()
        with self.lock:
            self.routes.remove(route)
            self._lead()
        route.end()

    def only(self) -> Route | None:
        """The one task that runs; None: there are several, or none."""
        with self.lock:
            return self.routes[0] if len(self.routes) == 1 else None

    def _lead(self) -> None:
        """One task: all is its own. Several: nobody knows. None: as without us."""
        if not self.catches_descriptors:
            return
        if len(self.routes) == 1:
            self._descriptors.lead_to(self.routes[0].tap())
        elif self.routes and self.unattributed is not None:
            self._nobodys = self._nobodys or Tap(self.unattributed)
            self._descriptors.lead_to(self._nobodys)
        else:
            self._descriptors.lead_to(None)

    def _close_nobodys(self) -> None:
        if self._nobodys is not None:
            self._nobodys.give_to(self._descriptors.write_home)
            self._nobodys.close()
            self._nobodys = None


_ROUTE: ContextVar[Route | None] = ContextVar("notebook_flows_route", default=None)
_forked = False
_running = Running()


def current_route() -> Route | None:
    """The way of the calling code's output; None: it goes where it would go without us."""
    return _ROUTE.get()


def current_sink() -> Sink | None:
    """Where the calling code's output goes; None: where it would go without us."""
    route = _ROUTE.get()
    return route.sink if route is not None else None


@contextmanager
def routed(sink: Sink) -> Iterator[Sink]:
    """Inside, whatever this thread, or a thread or asyncio task started from it, puts out goes to the sink.

    One task's whole run stands in it. At the end, what children and native code have written so far is there too, and
    the sink is told by ``end()``, if it has one. What comes later from threads and children of the task still goes there.
    """
    route = Route(sink)
    _running.begin(route)
    try:
        with following(route):
            try:
                yield sink
            finally:
                for wind_up in _running.windings_up:
                    wind_up()
    finally:
        if not _forked:  # a fork that ran out of the task's code has none of what is to be wound up
            _running.end(route)
            end = getattr(sink, "end", None)
            if end is not None:
                end()


@contextmanager
def diverted(sink: Sink) -> Iterator[Sink]:
    """Inside a task: part of its output is caught here. Outside of any, the same as `routed`."""
    outer = _ROUTE.get()
    if outer is None:
        with routed(sink):
            yield sink
        return
    with following(Route(sink, inside=outer)):
        yield sink


@contextmanager
def following(route: Route | None) -> Iterator[None]:
    """Inside, output takes this way; None: as without us."""
    token = _ROUTE.set(route)
    try:
        yield
    finally:
        _ROUTE.reset(token)


def follow(route: Route | None) -> None:
    """From now on, in this context, output takes this way."""
    _ROUTE.set(route)


def running() -> Running:
    """The tasks that run just now."""
    return _running


def begin_anew() -> None:
    """The process, though perhaps a fork, runs tasks of its own."""
    global _forked
    _forked = False


def _before_fork() -> None:
    """The child will need the pipes."""
    route = _ROUTE.get()
    if route is not None and not _forked:
        route.tap()


def _after_fork() -> None:
    """The child's output reaches the task by its pipes; it begins no tasks of ours before `install`."""
    global _running, _forked
    _forked = True
    _running = Running()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
