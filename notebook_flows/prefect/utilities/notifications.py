"""State handlers that call a function of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.prefect._missing import HERE, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.state import State

__all__ = ["callback_factory"]


def callback_factory(fn: Callable[[Any, State], Any], check: Callable[[State], bool]) -> Callable[..., State]:
    """A state handler that calls ``fn(task_or_flow, state)`` whenever ``check(state)``."""

    def state_handler(owner: Any, _old: State, new: State) -> State:
        if check(new):
            fn(owner, new)
        return new

    return state_handler


def __getattr__(name: str) -> Any:
    refuse(f"{HERE}utilities.notifications.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
