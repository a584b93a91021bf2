"""Names of a running task, found where pickle looks for them: in the module ``__main__``.

Pickle sends a function or class as the name of a module and its name there, and looks whether it is found. What a task
has defined has not landed yet; here it is found all the same, by the task alone, and in threads and forks that it has
started: so a pool of processes works inside a task as it does by hand.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.session.routes import current_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.session.namespace import TaskNames

_LOCK = threading.Lock()
_running = 0


class _Main(ModuleType):
    """What ``__main__`` is while tasks run: asked for what it has not, it looks at the names of the task that asks."""

    def __getattr__(self, name: str) -> Any:
        route = current_route()
        names = None if route is None else route.root.names
        if names is not None and dict.__contains__(names, name):
            return names[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


@contextmanager
def found_in_main(names: TaskNames) -> Iterator[None]:
    """Inside, the names of this run are found in ``__main__``, where that is the notebook; stands inside of `routed`."""
    global _running
    main, route = sys.modules.get("__main__"), current_route()
    if route is None or main is None or vars(main) is not names.home or type(main) not in {ModuleType, _Main}:
        yield
        return
    route.root.names = names
    with _LOCK:
        _running += 1
        main.__class__ = _Main
    try:
        yield
    finally:
        route.root.names = None
        with _LOCK:
            _running -= 1
            if not _running:
                main.__class__ = ModuleType
