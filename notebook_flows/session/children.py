"""Processes that a task starts print into its cell."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.session.routes import current_route

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = {"stdout": 4, "stderr": 5}  # among the positional arguments of Popen


@contextmanager
def children_routed() -> Iterator[None]:
    """Inside, a child that would inherit our stdout or stderr gets those of the task that starts it."""
    original = subprocess.Popen.__init__

    def init_routed(self: Any, *args: Any, **more: Any) -> None:
        route = current_route()
        if route is not None:
            tap = route.tap()
            for name, place in _PLACES.items():
                if len(args) <= place and more.get(name) is None:
                    more[name] = tap.writer(name)
        original(self, *args, **more)

    subprocess.Popen.__init__ = init_routed  # type: ignore[method-assign]
    try:
        yield
    finally:
        if subprocess.Popen.__init__ is init_routed:
            subprocess.Popen.__init__ = original  # type: ignore[method-assign]
