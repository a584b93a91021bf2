"""What the options of tasks and flows can be, checked where they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core import triggers
from notebook_flows.core.retry import RetryPolicy
from notebook_flows.core.triggers import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.state import State

type_of_delay = timedelta | float | Sequence[timedelta | float]
NO_RETRY = RetryPolicy()

LONGEST_S = timedelta.max.total_seconds()

_CALLABLE = frozenset({"trigger", "on_failure", "cache_validator"})

_TEXT_OR_CALLABLE = frozenset({"target", "task_run_name"})


def fit(option: str, value: Any, task_name: str) -> Any:
    """The value of an option, if that is what it can be.

    Raises:
        TypeError: it is not.
    """
    what: str | None = None
    if option in _CALLABLE:
        if not callable(value):
            what = "a function"
            if option == "trigger" and isinstance(value, str) and isinstance(getattr(triggers, value, None), Trigger):
                what = f"a function, such as triggers.{value}"
    elif option in _TEXT_OR_CALLABLE:
        if not isinstance(value, str) and not callable(value):
            what = "a text, or a function that returns one"
    elif option == "cache_for":
        if not isinstance(value, timedelta):
            what = "a timedelta"
    elif option == "cache":
        if not isinstance(value, bool) and not (isinstance(value, timedelta) and value > timedelta(0)):
            what = "True, False, or how long results may be used: a positive timedelta"
    elif option == "version":
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            what = "a text or a whole number"
        else:
            value = str(value)
    elif option == "cache_key":
        if not isinstance(value, str):
            what = "a text"
    elif option == "result":
        if not hasattr(value, "write"):
            what = "an object with `exists`, `read` and `write`, such as LocalResult()"
    elif option == "state_handlers":
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise TypeError(f"state_handlers of task {task_name!r} must be a list, even for a single one.")
        wrong = [one for one in value if not callable(one)]
        if wrong:
            raise TypeError(f"state_handlers of task {task_name!r} are functions; {wrong[0]!r} is none.")
    if what is not None:
        raise TypeError(f"The {option} of task {task_name!r} is {what}, not {value!r}.")
    return value


def as_tags(tags: Any, task_name: str) -> set[str]:
    """The tags as a set, if they are strings.

    Raises:
        TypeError: they are not.
    """
    if isinstance(tags, str):
        raise TypeError(f"Tags of task {task_name!r} are a set of strings, not one string: [{tags!r}].")
    if not isinstance(tags, Iterable):
        raise TypeError(f"Tags of task {task_name!r} are a set of strings, not {tags!r}.")
    listed = list(tags)
    if wrong := [one for one in listed if not isinstance(one, str)]:
        raise TypeError(f"Tags of task {task_name!r} are strings; {wrong[0]!r} is none.")
    return set(listed)


def seconds_of(value: Any, what: str, *, zero_allowed: bool = False) -> float:
    """A duration in seconds.

    Args:
        value: a timedelta, or a number of seconds.
        what: which option of what, for the error.
        zero_allowed: 0 will do.

    Raises:
        TypeError: it is no duration.
        ValueError: it is negative, zero or infinite.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"The {what} is a timedelta or a number of seconds, not {value!r}.")
    if not 0 <= seconds < LONGEST_S or (seconds == 0 and not zero_allowed):
        raise ValueError(
            f"The {what} is {value!r}; it must be {'0 or more' if zero_allowed else 'positive'}, and finite."
        )
    return float(seconds)


def at_least_one(value: Any, what: str) -> int:
    """A whole number that counts something.

    Args:
        value: the number.
        what: which option of what, for the error.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is under 1.
    """
    if type(value) is not int:
        raise TypeError(f"The {what} is a whole number, not {value!r}.")
    if value < 1:
        raise ValueError(f"The {what} is {value}; it must be 1 or more.")
    return value


def failure_handler(on_failure: Callable[[Any, State], Any]) -> Callable[[Any, State, State], None]:
    """The state handler that ``on_failure`` stands for."""

    def call_on_failure(owner: Any, _old: State, new: State) -> None:
        if new.is_failed():
            on_failure(owner, new)

    return call_on_failure


class Retries(NamedTuple):
    """How a task is tried again.

    Attributes:
        retries: tries after the first.
        delay: the rest before each, as it was written; None without a retry.
        only_on: the exceptions that are worth one; None: all.
    """

    retries: int = 0
    delay: timedelta | Sequence[timedelta] | None = None
    only_on: tuple[type[BaseException], ...] | None = None
    policy: RetryPolicy = NO_RETRY


NO_RETRIES = Retries()


def retries_of(
    task_name: str,
    count: Any,
    delay: type_of_delay | None,
    only_on: type[BaseException] | Iterable[type[BaseException]] | None,
    jitter: Any,
) -> Retries:
    """How a task is tried again, by its options ``max_retries``, ``retry_delay``, ``retry_on`` and ``retry_jitter``.

    Raises:
        TypeError: one of them is of the wrong kind.
        ValueError: one is out of range, or one is given without another that it needs.
    """
    if count is not None and type(count) is not int:
        raise TypeError(f"max_retries of task {task_name!r} is a whole number, not {count!r}.")
    if (count or 0) < 0:
        raise ValueError(f"max_retries of task {task_name!r} is {count}; it must be 0 or more.")
    if isinstance(jitter, bool) or not isinstance(jitter, (int, float)):
        raise TypeError(f"retry_jitter of task {task_name!r} is a number, such as 0.2, not {jitter!r}.")
    if not 0 <= jitter < inf:
        raise ValueError(f"retry_jitter of task {task_name!r} is {jitter!r}; it must be 0 or more, and finite.")
    if count and delay is None:
        raise ValueError(f"Task {task_name!r} has max_retries={count}; say how long to rest: retry_delay=...")
    if delay is not None and not count:
        raise ValueError(f"Task {task_name!r} has a retry_delay; say how often to retry: max_retries=...")
    classes = None if only_on is None else _exception_classes(task_name, only_on)
    if classes is not None and not count:
        raise ValueError(f"Task {task_name!r} has retry_on; say how often to retry: max_retries=...")
    if not count or delay is None:
        return NO_RETRIES
    delays = _delays(task_name, delay)
    policy = RetryPolicy(attempts=count + 1, delays=delays, jitter=jitter)
    return Retries(count, delays if isinstance(delay, Sequence) else delays[0], classes, policy)


def _exception_classes(
    task_name: str, only_on: type[BaseException] | Iterable[type[BaseException]]
) -> tuple[type[BaseException], ...]:
    classes: tuple[Any, ...] = (only_on,) if isinstance(only_on, type) else tuple(only_on)
    if any(not isinstance(one, type) or not issubclass(one, BaseException) for one in classes):
        raise TypeError(f"retry_on of task {task_name!r} takes exception classes, not {only_on!r}.")
    return classes


def _delays(task_name: str, delay: type_of_delay) -> tuple[timedelta, ...]:
    what = f"retry_delay of task {task_name!r}"
    each = delay if isinstance(delay, Sequence) else [delay]
    delays = tuple(timedelta(seconds=seconds_of(one, what, zero_allowed=True)) for one in each)
    if not delays:
        raise ValueError(f"The {what} is an empty list.")
    return delays
