"""One attempt of one task, from its call to its outcome, in whatever thread or process it is made."""

from __future__ import annotations

import random
import signal
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.core.context import attempt_here, context
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome, Pickled, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Call

UNKNOWN = NotImplemented
_SUCCESS = S.SUCCESS
_new_outcome = tuple.__new__


class TaskTimeout(BaseException):
    """Raised inside a task whose time is up; a BaseException, so that the task's ``except Exception`` lets it through."""


class Attempt:
    """What is running here: what `notebook_flows.context`, and an argument named ``context``, look things up in.

    Attributes:
        call: what was asked for.
        printed: catches what it prints, while ``log_stdout`` is on.
    """

    __slots__ = ("call", "printed")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.printed: Any = None

    @property
    def run_id(self) -> str:
        """Of the run that it belongs to."""
        return self.call.facts.run_id

    def context_value(self, key: str) -> Any:
        """The value of one key, or ``NotImplemented``."""
        call = self.call
        make = _OWN_KEYS.get(key)
        if make is not None:
            return make(call)
        if call.context is not None and key in call.context:
            return call.context[key]
        return call.facts.context.get(key, UNKNOWN)

    def context_keys(self) -> dict[str, Any]:
        """All keys with their values."""
        own = {key: make(self.call) for key, make in _OWN_KEYS.items()}
        return {**self.call.facts.context, **(self.call.context or {}), **own}


class TaskContext:
    """What a task function gets as its argument named ``context``: the keys of `notebook_flows.context`, as they were
    when the task began, so that they hold in threads of its own too.

    >>> TaskContext({"flow_name": "etl"}).flow_name
    'etl'
    """

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = dict(keys)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        try:
            return self._keys[key]
        except KeyError:
            raise AttributeError(f"The context has no {key!r}; it has: {', '.join(sorted(self._keys))}.") from None

    def __getitem__(self, key: str) -> Any:
        return self._keys[key]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one key, or the default."""
        return self._keys.get(key, default)

    def to_dict(self) -> dict[str, Any]:
        """All keys, as a dict of its own."""
        return dict(self._keys)

    def __repr__(self) -> str:
        return f"<TaskContext: {', '.join(sorted(self._keys))}>"


def _logger(_: Call) -> Any:
    import logging

    from notebook_flows.engine.logs import TASK_LOGGER

    return logging.getLogger(TASK_LOGGER)


def _full_name(call: Call) -> str:
    return call.task.name if call.index < 0 else f"{call.task.name}[{call.index}]"


_OWN_KEYS: dict[str, Any] = {
    "task_name": lambda call: call.task.name,
    "task_full_name": _full_name,
    "task_tags": lambda call: set(call.task.tags),
    "task_run_count": lambda call: call.attempt,
    "attempt": lambda call: call.attempt,
    "map_index": lambda call: call.index if call.index >= 0 else None,
    "task_loop_count": lambda call: call.loop,
    "upstream_states": lambda call: call.upstream_states or {},
    "logger": _logger,
}


def perform(call: Call) -> Outcome:
    """Make the attempt in this thread.

    A timeout is enforced by an interval timer, in the main thread only; elsewhere the executor has to do it.

    Raises:
        KeyboardInterrupt: it was interrupted; whoever called decides what that means.
    """
    token = attempt_here.set(Attempt(call))
    started_us = time.time_ns() // 1000
    try:
        arguments = call.arguments
        for value in arguments.values():
            if type(value) is Pickled:
                arguments = _loaded(call)
                break
        if call.gathered:
            arguments = _loaded(call)
        if not call.is_plain:
            return _with_all(call, arguments, started_us)
        value = call.task.run(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a task raises, SystemExit too, is the task's outcome
        return failed_outcome(call, error, started_us)
    finally:
        attempt_here.reset(token)
    return _new_outcome(
        Outcome, (call.ref, call.attempt, _SUCCESS, value, "", started_us, time.time_ns() // 1000, None)
    )


async def perform_async(call: Call) -> Outcome:
    """Make the attempt of a coroutine task on the running loop.

    Raises:
        asyncio.CancelledError: it was cancelled.
    """
    import asyncio

    attempt = Attempt(call)
    token = attempt_here.set(attempt)
    started_us = time.time_ns() // 1000
    try:
        arguments = _loaded(call)
        replaced = _announced(call)
        if replaced is not None:
            return _outcome(call, replaced, started_us)
        found = _from_target(call)
        if found is not None:
            return _outcome(call, _handled(call, api.Running(), found), started_us)
        _give_context(call, arguments)
        try:
            with _printed(attempt) if call.task.log_stdout else nullcontext():
                running = call.task.run(**arguments)
                value = await (asyncio.wait_for(running, call.timeout_s) if call.timeout_s else running)
        except TimeoutError as error:
            if call.timeout_s and time.time_ns() // 1000 - started_us >= call.timeout_s * 1e6:
                raise TaskTimeout from error
            raise
        return _outcome(call, _handled(call, api.Running(), _kept(call, value)), started_us)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:  # as in `perform`
        return failed_outcome(call, error, started_us)
    finally:
        attempt_here.reset(token)


def _loaded(call: Call) -> dict[str, Any]:
    """The arguments, with what is still in another process's bytes loaded."""
    return {
        name: [unwrapped(one) for one in value] if name in call.gathered else unwrapped(value)
        for name, value in call.arguments.items()
    }


def _with_all(call: Call, arguments: dict[str, Any], started_us: int) -> Outcome:
    """The attempt with all that a task may ask for: handlers, timeout, context, captured prints, target."""
    task = call.task
    replaced = _announced(call)
    if replaced is not None:
        return _outcome(call, replaced, started_us)
    found = _from_target(call)
    if found is not None:
        return _outcome(call, _handled(call, api.Running(), found), started_us)
    arguments = dict(arguments)
    _give_context(call, arguments)
    attempt = context_attempt()
    with _printed(attempt) if task.log_stdout else nullcontext(), _timer(call.timeout_s):
        if call.is_async:
            import asyncio

            value = asyncio.run(task.run(**arguments))
        else:
            value = task.run(**arguments)
    return _outcome(call, _handled(call, api.Running(), _kept(call, value)), started_us)


def context_attempt() -> Attempt:
    """The attempt that runs here."""
    from notebook_flows.core.context import current_attempt

    found: Attempt = current_attempt()
    return found


def _printed(attempt: Attempt) -> Any:
    from notebook_flows.engine.logs import printed_by

    return printed_by(attempt)


def _give_context(call: Call, arguments: dict[str, Any]) -> None:
    if call.task._signature.wants_context and "context" not in arguments:
        arguments["context"] = TaskContext(context.to_dict())


@contextmanager
def _timer(timeout_s: float | None) -> Iterator[None]:
    """Raise `TaskTimeout` in this thread when the time is up; only the main thread can."""
    if timeout_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise TaskTimeout

    handler_before = signal.signal(signal.SIGALRM, ring)
    left_before, _ = signal.setitimer(signal.ITIMER_REAL, timeout_s)
    begun = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler_before)
        if left_before:  # a flow within a task that has a timeout itself: its timer goes on
            signal.setitimer(signal.ITIMER_REAL, max(left_before - (time.monotonic() - begun), 1e-6))


# -- states and handlers ---------------------------------------------------------------------------------------------------


def _announced(call: Call) -> api.State | None:
    """Tell the handlers that it begins; the state that they put in place of Running, if any."""
    if not call.task.state_handlers:
        return None
    before: api.State = api.Retrying(run_count=call.attempt - 1) if call.attempt > 1 else api.Pending()
    now = _handled(call, before, api.Running(message="Starting task run."))
    return None if now.is_running() else now


def _handled(call: Call, old: api.State, new: api.State) -> api.State:
    """The state after the task's handlers have seen it, in order; each may replace it."""
    return handled(call.task, old, new)


def handled(task: Any, old: api.State, new: api.State) -> api.State:
    """The state after these handlers have seen the change; one that raises makes it a failure."""
    for handler in task.state_handlers:
        try:
            replaced = handler(task, old, new)
        except signals.Signal as signal_:
            return signal_.state
        except Exception as error:
            return api.Failed(f"Exception raised while calling state handlers: {error!r}", result=error)
        if isinstance(replaced, api.State):
            new = replaced
    return new


def failed_outcome(call: Call, error: BaseException, started_us: int) -> Outcome:
    """The outcome of an attempt that raised."""
    proposed = _state_of(call, error)
    if proposed.is_looped():
        assert isinstance(proposed, api.Looped)
        proposed.loop_count = call.loop
    state = proposed if call.is_plain else _handled(call, api.Running(), proposed)
    kind = "TimeoutError" if isinstance(error, TaskTimeout) else type(error).__name__
    details = {"error": kind, "traceback": _told(error)} if state.is_failed() else None
    policy = call.task.retry_policy
    if state.is_failed() and policy.attempts > call.attempt and _worth_a_retry(call.task, state.result):
        delay = policy.delay_after(call.attempt, luck=random.random())  # noqa: S311 - spreads retries, guards nothing
        assert delay is not None
        retrying = api.Retrying(message=state.message, result=state.result, run_count=call.attempt)
        state = retrying if call.is_plain else _handled(call, state, retrying)
        if state is retrying:
            rest_us = round(delay.total_seconds() * 1e6)
            known = {**(details or {}), "due_us": time.time_ns() // 1000 + rest_us, "rest_us": rest_us}
            return _outcome(call, state, started_us, known)
    return _outcome(call, state, started_us, details, proposed)


def _worth_a_retry(task: Task, error: Any) -> bool:
    return task.retry_on is None or isinstance(error, task.retry_on)


def _state_of(call: Call, error: BaseException) -> api.State:
    if isinstance(error, signals.Signal):
        return error.state
    if isinstance(error, TaskTimeout):
        from datetime import timedelta

        message = f"Timed out after {timedelta(seconds=call.timeout_s or 0)}."
        return api.TimedOut(message, result=TimeoutError(message))
    return api.Failed(f"Error during execution of task: {_short(error)}", result=error)


def _short(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception:  # a repr of the user's own may fail; its type still says something
        return type(error).__name__


def _told(error: BaseException) -> str:
    """The traceback as text, beginning in the task's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    if isinstance(error, TaskTimeout):  # where the task was when its time was up; not our own frame, nor our own error
        where = "".join(traceback.format_tb(trace)[:-1])
        return f"Traceback (most recent call last):\n{where}TimeoutError: its time was up\n"
    return "".join(traceback.format_exception(type(error), error, trace))


def _outcome(
    call: Call,
    state: api.State,
    started_us: int,
    details: Mapping[str, Any] | None = None,
    proposed: api.State | None = None,
) -> Outcome:
    proposed = proposed or state
    state, event_state = api.ending_of(state)
    known = dict(details or {})
    if proposed is not state:
        known["proposed"] = type(proposed).__name__
    if event_state is S.RETRYING and "due_us" not in known:
        start = getattr(state, "start_time", None)
        known["due_us"] = int(start.timestamp() * 1e6) if start is not None else 0
    return Outcome(
        call.ref,
        call.attempt,
        event_state,
        state.result,
        state.message or "",
        started_us,
        time.time_ns() // 1000,
        known or None,
    )


# -- results that are files --------------------------------------------------------------------------------------------


def _location(call: Call) -> str | None:
    target = call.task.target
    if target is None:
        return None
    keys = context.to_dict()
    keys.update(call.arguments)
    return str(target(**keys) if callable(target) else target.format(**keys))


def _results_of(call: Call) -> Any:
    return call.task.result if call.task.result is not None else call.facts.results


def _from_target(call: Call) -> api.State | None:
    location = _location(call)
    results = _results_of(call)
    if location is None or results is None or not results.exists(location):
        return None
    return api.Cached(f"Target {location!r} exists.", result=results.read(location))


def _kept(call: Call, value: Any) -> api.State:
    """Success, once the value is written where the task wants it."""
    location = _location(call)
    results = _results_of(call)
    wants_file = location is not None or call.task.result is not None
    if wants_file and results is not None and call.task.checkpoint is not False and value is not None:
        results.write(value, location, **context.to_dict())
    return api.Success(result=value)
