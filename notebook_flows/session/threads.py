"""Threads that a task starts are the task's, and so is what it hands to a pool: what they say, and what they read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.watching import current_watch, follow_watch
from notebook_flows.session.routes import Route, current_route, follow, following

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from notebook_flows.fingerprints.watching import Watch

_MARK = "_notebook_flows_routes"
EVERYBODYS = frozenset({("tqdm._monitor", "TMonitor")})
"""Threads, by module and class, that serve whoever comes, although one task has started them."""


@contextmanager
def threads_routed() -> Iterator[None]:
    """Inside, `threading.Thread` and `ThreadPoolExecutor` carry the way of a task's output along."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_routed(self: threading.Thread, *args: Any, **more: Any) -> None:
        route = current_route()
        if route is not None and (type(self).__module__, type(self).__name__) not in EVERYBODYS:
            _carry(self, route)
        start(self, *args, **more)

    def submit_routed(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        route = current_route()
        if route is None and not hasattr(self, _MARK):
            return submit(self, fn, *args, **more)
        setattr(self, _MARK, True)  # its threads may now be a task's; whoever comes next says whose his call is
        return submit(self, _call, route, current_watch(), fn, *args, **more)

    threading.Thread.start = start_routed  # type: ignore[method-assign] # until the end of the block
    ThreadPoolExecutor.submit = submit_routed  # type: ignore[method-assign,assignment] # as above
    try:
        yield
    finally:
        if threading.Thread.start is start_routed:
            threading.Thread.start = start  # type: ignore[method-assign] # as it was
        if ThreadPoolExecutor.submit is submit_routed:
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign] # as it was


def _carry(thread: threading.Thread, route: Route) -> None:
    run, watch = thread.run, current_watch()
    own = vars(thread).get("run")

    def run_routed() -> None:
        if own is None:
            vars(thread).pop("run", None)  # or the thread would hold itself
        follow(route)  # for good: what it says of an exception is the task's too
        follow_watch(watch)
        run()

    thread.run = run_routed  # type: ignore[method-assign] # of this thread alone


def _call(route: Route | None, watch: Watch | None, function: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
    before = current_watch()
    follow_watch(watch)
    try:
        with following(route):
            return function(*args, **more)
    finally:
        follow_watch(before)
