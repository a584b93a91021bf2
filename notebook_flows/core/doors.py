"""What a flow's methods need from above the core; `notebook_flows.__init__` puts it here, loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State


class Runner(Protocol):
    """Runs flows."""

    def __call__(self, flow: Flow, **options: Any) -> State:
        """Run it; see `Flow.run`."""


def _closed(*_: Any, **__: Any) -> Any:
    raise RuntimeError("Import `notebook_flows` itself, not only its core: it opens the door to the engine.")


run_flow: Runner = _closed
draw_flow: Callable[..., Any] = _closed
diagnose: Callable[..., str] = _closed
task_logger: Callable[[], Any] = _closed
