"""The figures of pyplot: each task that draws has its own, and shows them in its own cell."""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.session.routes import current_route, running
from notebook_flows.session.waiting import waiting

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HELPERS = "matplotlib._pylab_helpers"
_BACKEND = "matplotlib_inline.backend_inline"
_TURN = threading.Lock()


@contextmanager
def own_figures() -> Iterator[None]:
    """Inside, the task has its turn with pyplot; at the end its open figures are shown, and closed.

    Those of a task that fails are shown at the end of `routed`, below its error, as they are below a cell's.

    For tasks whose facts say ``uses_pyplot``: matplotlib is not made for threads. Stands inside of `routed(sink)`, around
    the task's code. On an event loop nobody waits, for then the one waited for could not go on.
    """
    with _turn():
        yield
        _show_open_figures()


@contextmanager
def figures_routed() -> Iterator[None]:
    """Inside, pyplot knows in a task only the figures that were made there, and in the kernel's cells only theirs."""
    watcher = _Watcher()
    sys.meta_path.insert(0, watcher)
    if _HELPERS in sys.modules:
        _divide(sys.modules[_HELPERS])
    running().windings_up.append(_show_in_turn)
    try:
        yield
    finally:
        sys.meta_path.remove(watcher)
        running().windings_up.remove(_show_in_turn)
        helpers: Any = sys.modules.get(_HELPERS)
        if helpers is not None and isinstance(helpers.Gcf.figs, FiguresByTask):
            helpers.Gcf.figs = helpers.Gcf.figs.kernels


@contextmanager
def _turn() -> Iterator[None]:
    has_turn = _TURN.acquire(blocking=False)
    if not has_turn and not _on_loop():
        with waiting():
            has_turn = _TURN.acquire()
    try:
        yield
    finally:
        if has_turn:
            _TURN.release()


def _show_in_turn() -> None:
    route = current_route()
    if route is not None and route.figures:
        with _turn():
            _show_open_figures()


def _show_open_figures() -> None:
    """What the inline backend does after a cell, for the calling task; with another backend there is nothing to show."""
    route = current_route()
    if route is None or not route.figures:
        return
    managers = list(route.figures.values())
    backend: Any = sys.modules.get(_BACKEND)
    try:
        if backend is not None and _is_inline():
            from IPython import display

            for manager in managers:
                figure = manager.canvas.figure
                display.display(figure, metadata=backend._fetch_figure_metadata(figure))  # type: ignore[no-untyped-call] # IPython's own
    finally:
        drawn = {id(manager.canvas.figure) for manager in managers}
        if backend is not None:
            backend.show._to_draw = [one for one in backend.show._to_draw if id(one) not in drawn]
        sys.modules["matplotlib.pyplot"].close("all")


class FiguresByTask(MutableMapping[Any, Any]):
    """What pyplot takes for its table of open figures: that of the calling task, else the kernel's.

    Args:
        kernels: the table that was there.
    """

    def __init__(self, kernels: OrderedDict[Any, Any]) -> None:
        self.kernels = kernels

    @property
    def _now(self) -> OrderedDict[Any, Any]:
        route = current_route()
        return self.kernels if route is None else route.figures

    def __getitem__(self, number: Any) -> Any:
        return self._now[number]

    def __setitem__(self, number: Any, manager: Any) -> None:
        self._now[number] = manager

    def __delitem__(self, number: Any) -> None:
        del self._now[number]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._now)

    def __reversed__(self) -> Iterator[Any]:
        return iter(reversed(self._now))

    def __len__(self) -> int:
        return len(self._now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now, name)

    def values(self) -> Any:
        """The figures' managers, in an order that can be reversed."""
        return self._now.values()

    def keys(self) -> Any:
        """Their numbers."""
        return self._now.keys()

    def items(self) -> Any:
        """Both."""
        return self._now.items()


class _Watcher(importlib.abc.MetaPathFinder):
    """Sees to it that a task that is the first to import matplotlib has its own figures from the start."""

    def __init__(self) -> None:
        self._is_looking = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec as others find it, with our step after its execution."""
        if fullname != _HELPERS or getattr(self._is_looking, "now", False):
            return None
        self._is_looking.now = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_looking.now = False
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def execute_and_divide(module: ModuleType) -> None:
                execute(module)
                _divide(module)

            loader.exec_module = execute_and_divide
        return spec


def _divide(helpers: Any) -> None:
    if not isinstance(helpers.Gcf.figs, FiguresByTask):
        helpers.Gcf.figs = FiguresByTask(helpers.Gcf.figs)


def _is_inline() -> bool:
    matplotlib: Any = sys.modules["matplotlib"]
    return matplotlib.get_backend().lower() in {"inline", f"module://{_BACKEND}"}


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
