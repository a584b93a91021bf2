"""The State classes of the API, as in Prefect 1: a façade over a run's events, and what handlers and signals speak in."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class State:
    """Where a task or a flow stands.

    Two states are equal when their classes and results are; the message does not count.

    Attributes:
        message: one sentence, or None.
        result: the task's value, the exception of a failure, or {task: State} of a flow.
        context: keys of the run's context that are kept with the state.
    """

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        context: Mapping[str, Any] | None = None,
        cached_inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = str(message) if message is not None else None
        self._result = result
        self.context = dict(context or {})
        self.cached_inputs: Mapping[str, Any] = dict(cached_inputs or {})

    @property
    def result(self) -> Any:
        """The value."""
        return self._result

    @result.setter
    def result(self, value: Any) -> None:
        self._result = value

    def __repr__(self) -> str:
        said = f'"{self.message}"' if self.message else ""
        return f"<{type(self).__name__}: {said}>" if said else f"<{type(self).__name__}>"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        assert isinstance(other, State)
        try:
            return bool(self.result == other.result)
        except Exception:  # users' values (arrays, frames) may raise, or be ambiguous: then only identity counts
            return self.result is other.result

    __hash__ = object.__hash__

    def is_pending(self) -> bool:
        """Nothing has been tried, or something will be again."""
        return isinstance(self, Pending)

    def is_scheduled(self) -> bool:
        """Something will be tried at a known time."""
        return isinstance(self, Scheduled)

    def is_retrying(self) -> bool:
        """It failed and will be tried again."""
        return isinstance(self, Retrying)

    def is_paused(self) -> bool:
        """It waits for a person."""
        return isinstance(self, Paused)

    def is_submitted(self) -> bool:
        """It was handed to an executor."""
        return isinstance(self, Submitted)

    def is_queued(self) -> bool:
        """It waits for a free worker."""
        return isinstance(self, Queued)

    def is_running(self) -> bool:
        """It runs."""
        return isinstance(self, Running)

    def is_finished(self) -> bool:
        """It has ended."""
        return isinstance(self, Finished)

    def is_looped(self) -> bool:
        """It will run once more, with its own result."""
        return isinstance(self, Looped)

    def is_successful(self) -> bool:
        """It ended well; so have cached, mapped and skipped ones."""
        return isinstance(self, Success)

    def is_cached(self) -> bool:
        """Its result was known already."""
        return isinstance(self, Cached)

    def is_mapped(self) -> bool:
        """It stands for its children."""
        return isinstance(self, Mapped)

    def is_skipped(self) -> bool:
        """It had nothing to do."""
        return isinstance(self, Skipped)

    def is_failed(self) -> bool:
        """It, or what it waits for, failed."""
        return isinstance(self, Failed)

    def is_cancelled(self) -> bool:
        """Somebody stopped it."""
        return isinstance(self, Cancelled)

    @classmethod
    def children(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """The classes below this one."""
        below: list[type[State]] = [cls] if include_self else []
        for child in cls.__subclasses__():
            below.extend(child.children(include_self=True))
        return [c.__name__ for c in below] if names_only else below

    @classmethod
    def parents(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """The classes above this one, up to State."""
        above = [c for c in cls.__mro__ if issubclass(c, State) and (include_self or c is not cls)]
        return [c.__name__ for c in above] if names_only else above


class Pending(State):
    """Nothing has been tried yet."""


class Scheduled(Pending):
    """Will be tried at ``start_time``: a datetime, or a timedelta from when the state is reached; None: at once.

    Raises:
        TypeError: ``start_time`` is something else, such as a number, which could be either.
    """

    def __init__(
        self, message: str | None = None, *, start_time: datetime | timedelta | None = None, **more: Any
    ) -> None:
        super().__init__(message, **more)
        if start_time is not None and not isinstance(start_time, (datetime, timedelta)):
            raise TypeError(
                f"start_time is a datetime or a timedelta, not of type {type(start_time).__name__!r}. "
                "To rest for some seconds: start_time=timedelta(seconds=...)."
            )
        self.start_time = start_time


class Paused(Scheduled):
    """Waits for a person."""


class Resume(Scheduled):
    """A person has said: go on."""


class Retrying(Scheduled):
    """Failed, and will be tried again at ``start_time``."""

    def __init__(self, message: str | None = None, *, run_count: int | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.run_count = run_count


class Submitted(State):
    """Handed to an executor."""


class Queued(Submitted):
    """Waits for a free worker."""


class Running(State):
    """Runs."""


class Cancelling(Running):
    """Runs, and was asked to stop."""


class Finished(State):
    """Has ended."""


class Looped(Finished):
    """Will run once more, with its own result; ``loop_count`` says the how manieth round has ended."""

    def __init__(self, message: str | None = None, *, loop_count: int | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.loop_count = loop_count


class Success(Finished):
    """Ended well."""


class Cached(Success):
    """The result was known already."""

    def __init__(
        self,
        message: str | None = None,
        *,
        cached_parameters: Mapping[str, Any] | None = None,
        cached_result_expiration: datetime | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.cached_parameters: Mapping[str, Any] = dict(cached_parameters or {})
        self.cached_result_expiration = cached_result_expiration


class Mapped(Success):
    """Stands for its children, one for each element.

    Attributes:
        map_states: the children's states, in order; ``result`` is the list of their results.
    """

    def __init__(self, message: str | None = None, *, map_states: Sequence[State] | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.map_states: Sequence[State] = list(map_states or [])

    @property
    def result(self) -> list[Any]:
        """The children's results, in order."""
        return [state.result for state in self.map_states]

    @result.setter
    def result(self, value: Any) -> None:
        raise AttributeError("The result of a Mapped state is the list of its children's results.")


class Skipped(Success):
    """Had nothing to do."""


class Cancelled(Finished):
    """Was stopped."""


class Crashed(Cancelled):
    """Lost its process."""


class NotRun(Cancelled):
    """Was not begun: the run ended before its turn."""


class Failed(Finished):
    """Raised an error; ``result`` is the exception."""


class TimedOut(Failed):
    """Took longer than its timeout."""


class TriggerFailed(Failed):
    """Did not run, because of how the tasks before it ended."""


class ValidationFailed(Failed):
    """Ran, and its result is not what it should be."""


@cache
def class_of(state: S) -> type[State]:
    """The API's class of an event's state.

    >>> class_of(S.UPSTREAM_FAILED).__name__
    'TriggerFailed'
    """
    found: type[State] = next(cls for cls in State.children() if cls.__name__ == facts_of(state).api_class)
    return found


_EVENT_STATE: dict[type[State], S] = {
    **{class_of(state): state for state in reversed(S)},
    Scheduled: S.RETRYING,
    Resume: S.PENDING,
    Submitted: S.QUEUED,
    Running: S.RUNNING,
    Cancelling: S.RUNNING,
    Finished: S.SUCCESS,
}


def event_state_of(state: State) -> S:
    """The event's state of an API state; users' own subclasses count as the class they derive from.

    Raises:
        TypeError: a bare `State`, which says nothing.
    """
    for cls in type(state).__mro__:
        if cls in _EVENT_STATE:
            return _EVENT_STATE[cls]
    raise TypeError(f"{state!r} says nothing about where the task stands; use one of its subclasses.")


_NOT_OVER = frozenset({S.PENDING, S.READY, S.QUEUED, S.RUNNING, S.EXPANDED})


def ending_of(state: State) -> tuple[State, S]:
    """The state in which an attempt or a run ends, and the event's state; a Failed one in place of one that is no end.

    >>> ending_of(Running())[0]
    <Failed: "<Running> is no state to end in.">
    """
    try:
        found = event_state_of(state)
    except TypeError:
        found = S.PENDING
    if found not in _NOT_OVER:
        return state, found
    problem = f"{state!r} is no state to end in."
    return Failed(problem, result=TypeError(problem)), S.FAILED
