"""What a task raises to end in another state than success or failure.

They derive from BaseException, as in Prefect 1, so that a task's own ``except Exception`` does not swallow them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from notebook_flows.core import state as api

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class Signal(BaseException):
    """Ends the attempt in the state of its class.

    Args:
        message: one sentence, shown beside the state.
        result: the task's value; for failures the signal itself unless given.
        **more: further fields of the state.
    """

    state_class: ClassVar[type[api.State]] = api.State

    def __init__(self, message: str | None = None, *args: Any, result: Any = None, **more: Any) -> None:
        super().__init__(message, *args)
        if result is None and issubclass(self.state_class, api.Failed):
            result = self
        self.state = self.state_class(message=message, result=result, **more)

    def __str__(self) -> str:
        return self.state.message or ""


class FAIL(Signal):
    """The task failed."""

    state_class = api.Failed


class TRIGGERFAIL(FAIL):
    """The task's trigger did not allow it to run."""

    state_class = api.TriggerFailed


class VALIDATIONFAIL(FAIL):
    """The task's result is not what it should be."""

    state_class = api.ValidationFailed


class SUCCESS(Signal):
    """The task succeeded, from the middle of its code."""

    state_class = api.Success


class SKIP(Signal):
    """The task has nothing to do; so have those after it, unless they set ``skip_on_upstream_skip=False``."""

    state_class = api.Skipped


class RETRY(Signal):
    """Try again, whatever ``max_retries`` says: at ``start_time``, or after it if it is a timedelta; now unless given.

    Raises:
        TypeError: ``start_time`` is neither a datetime nor a timedelta.
    """

    state_class = api.Retrying

    def __init__(
        self, message: str | None = None, *args: Any, start_time: datetime | timedelta | None = None, **more: Any
    ) -> None:
        super().__init__(message, *args, start_time=start_time, **more)


class PAUSE(Signal):
    """Wait for a person; without a terminal the run ends ``paused``, to be resumed."""

    state_class = api.Paused


class LOOP(Signal):
    """Run again at once, with ``context.task_loop_result`` set to ``result``."""

    state_class = api.Looped


class ENDRUN(Signal):
    """End the attempt in the given state."""

    def __init__(self, state: api.State) -> None:
        super().__init__(state.message)
        self.state = state


def signal_from_state(state: api.State) -> type[Signal]:
    """The signal class that leads to the class of this state.

    Raises:
        ValueError: no signal leads there.
    """
    for signal in (FAIL, TRIGGERFAIL, VALIDATIONFAIL, SUCCESS, SKIP, RETRY, PAUSE, LOOP):
        if signal.state_class is type(state):
            return signal
    raise ValueError(f"No signal leads to the state {type(state).__name__}.")
