"""One attempt of one task, from its call to its outcome, in whatever thread or process it is made."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
import traceback
from contextlib import nullcontext
from contextvars import copy_context
from datetime import datetime, timedelta
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.core.context import attempt_here, context
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome, Pickled, unwrapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Call

UNKNOWN = NotImplemented
_SUCCESS = S.SUCCESS
_new_outcome = tuple.__new__

LONGEST_MESSAGE = 8_192
LONGEST_TRACEBACK = 65_536
"""How many characters of an error the history keeps."""
LATEST_US = 253_402_300_800_000_000
"""The end of the year 9999, in microseconds since 1970."""

_forks = 0
"""How many forks this process is away from the one that has imported us."""


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)


class TaskTimeout(BaseException):
    """Raised inside a task whose time is up; a BaseException, so that the task's ``except Exception`` lets it through.

    Attributes:
        owner: the attempt whose time is up; it may have run a flow whose task it is that was hit. None: whoever raised it.
    """

    def __init__(self, *args: object, owner: Attempt | None = None) -> None:
        super().__init__(*args)
        self.owner = owner


def is_for_others(error: BaseException, here: Attempt | None = None) -> bool:
    """Whether whoever runs the user's code must let it pass: Ctrl-C, or the timeout of a task around this one.

    Args:
        error: what came out of the user's code.
        here: the attempt that the code belongs to; None where no timeout is on, as in handlers and validators.
    """
    if isinstance(error, TaskTimeout):
        return error.owner is not None and error.owner is not here
    return isinstance(error, KeyboardInterrupt)


def short(error: BaseException) -> str:
    """The error in short, whatever its own ``__repr__`` does."""
    try:
        return bounded(repr(error), LONGEST_MESSAGE)
    except Exception:  # a repr of the user's own may fail; its type still says something
        return type(error).__name__


def bounded(text: str, longest: int) -> str:
    """The text, or its beginning and its end.

    >>> bounded("abcdefgh", 4)
    'ab ... (4 characters left out) ... gh'
    """
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters left out) ... {text[-half:]}"


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
        own = {key: value for key, make in _OWN_KEYS.items() if (value := make(self.call)) is not UNKNOWN}
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
    "upstream_states": lambda call: UNKNOWN if call.upstream_states is None else call.upstream_states,
    "logger": _logger,
}


def perform(call: Call) -> Outcome:
    """Make the attempt in this thread.

    A timeout is enforced by an interval timer, in the main thread only; elsewhere the executor has to do it.

    Raises:
        KeyboardInterrupt: it was interrupted; whoever called decides what that means.
        TaskTimeout: of a task around this one: the time of the attempt that runs this flow is up.
        BaseException: in a process that the task has forked: it must not go on as a second engine.
    """
    attempt = Attempt(call)
    forks = _forks
    token = attempt_here.set(attempt)
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
            return _with_all(call, arguments, started_us, attempt)
        value = call.task.run(**arguments)
        if forks != _forks or type(value) is CoroutineType:
            value = _unexpected(call, value, forks)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a task raises, SystemExit too, is the task's outcome
        if forks != _forks or is_for_others(error, attempt):
            raise
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
        TaskTimeout: as `perform`.
        BaseException: as `perform`.
    """
    import asyncio

    attempt = Attempt(call)
    forks = _forks
    token = attempt_here.set(attempt)
    started_us = time.time_ns() // 1000
    try:
        arguments = _loaded(call)
        ended = _before(call, started_us)
        if ended is not None:
            return ended
        _give_context(call, arguments)
        try:
            with _printed(attempt) if call.task.log_stdout else nullcontext():
                running = call.task.run(**arguments)
                value = await (asyncio.wait_for(running, call.timeout_s) if call.timeout_s else running)
        except TimeoutError as error:
            if call.timeout_s and time.time_ns() // 1000 - started_us >= call.timeout_s * 1e6:
                raise TaskTimeout from error
            raise
        if forks != _forks or type(value) is CoroutineType:
            value = _unexpected(call, value, forks)
        return _settled(call, _kept(call, value), started_us)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:  # as in `perform`
        if forks != _forks or is_for_others(error, attempt):
            raise
        return failed_outcome(call, error, started_us)
    finally:
        attempt_here.reset(token)


def _unexpected(call: Call, value: Any, forks: int) -> Any:
    """What is to be made of a task that came back in a process of its own, or with a coroutine."""
    if forks != _forks:
        raise SystemExit(
            f"A process that task {call.task.name!r} has forked came back from it; it ends here, for the run goes on in "
            "the process that it began in. Let the child end with os._exit()."
        )
    if call.task._signature.wraps_async:
        return _awaited(value)
    value.close()
    raise TypeError(
        f"Task {call.task.name!r} returned a coroutine, which nobody would await. Make its function `async def`, or "
        "await it there."
    )


def _awaited(awaitable: Awaitable[Any]) -> Any:
    """What it gives, on an event loop of its own; beside the loop that runs here, if one does, as in a kernel."""
    import asyncio

    async def wait() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    ended: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        try:
            ended.append((asyncio.run(wait()), None))
        except BaseException as error:  # raised again where it is waited for
            ended.append((None, error))

    thread = threading.Thread(target=copy_context().run, args=(work,), name="notebook-flows-await", daemon=True)
    thread.start()
    thread.join()
    value, error = ended[0]
    if error is not None:
        raise error
    return value


def _loaded(call: Call) -> dict[str, Any]:
    """The arguments, with what is still in another process's bytes loaded."""
    return {
        name: [unwrapped(one) for one in value] if name in call.gathered else unwrapped(value)
        for name, value in call.arguments.items()
    }


def _with_all(call: Call, arguments: dict[str, Any], started_us: int, attempt: Attempt) -> Outcome:
    """The attempt with all that a task may ask for: handlers, timeout, context, captured prints, target."""
    task = call.task
    forks = _forks
    ended = _before(call, started_us)
    if ended is not None:
        return ended
    arguments = dict(arguments)
    _give_context(call, arguments)

    def run() -> Any:
        value = task.run(**arguments)
        if call.is_async:
            value = _awaited(value)
        return _unexpected(call, value, forks) if forks != _forks or type(value) is CoroutineType else value

    with _printed(attempt) if task.log_stdout else nullcontext():
        value = _in_time(call.timeout_s, attempt, run)
    return _settled(call, _kept(call, value), started_us)


def _before(call: Call, started_us: int) -> Outcome | None:
    """What comes before the task's own code; the outcome, if that is all: its handlers said so, or its target exists."""
    _give_name(call)
    replaced = _announced(call)
    if replaced is not None:
        return _outcome(call, replaced, started_us, None, api.Running())
    found = _from_target(call)
    return None if found is None else _settled(call, found, started_us)


def _give_name(call: Call) -> None:
    """Fill in ``task_run_name``; a name that cannot be made harms nobody."""
    template = call.task.task_run_name
    if template is None:
        return
    keys = {**context.to_dict(), **call.arguments}
    try:
        name = str(template(**keys) if callable(template) else template.format(**keys))
    except Exception:  # what only shows the run must not end it
        _logger(call).warning("The task_run_name of %r cannot be made.", call.task.name, exc_info=True)
        return
    call.context = {**(call.context or {}), "task_run_name": bounded(name, LONGEST_MESSAGE)}


def _printed(attempt: Attempt) -> Any:
    from notebook_flows.engine.logs import printed_by

    return printed_by(attempt)


def _give_context(call: Call, arguments: dict[str, Any]) -> None:
    if call.task._signature.wants_context and "context" not in arguments:
        arguments["context"] = TaskContext(context.to_dict())


def _in_time(timeout_s: float | None, owner: Attempt, run: Callable[[], Any]) -> Any:
    """What ``run()`` gives, with `TaskTimeout` raised in it when the time is up; only the main thread can.

    No context manager: a signal may be handled on the way into its ``__exit__``, which then would not run.
    """
    if timeout_s is None or threading.current_thread() is not threading.main_thread():
        return run()
    alarm = _Alarm(timeout_s, owner)
    try:
        try:
            alarm.begin()
            return run()
        finally:
            alarm.is_over = True  # first of all: from now on it rings no more
    finally:
        alarm.is_over = True  # it may have rung just before the line above, but it rings once
        alarm.end()


class _Alarm:
    """Stands for SIGALRM and its timer during one attempt; the alarm that was set before goes on meanwhile.

    Attributes:
        is_over: it does nothing more.
    """

    def __init__(self, timeout_s: float, owner: Attempt) -> None:
        self.is_over = False
        self._timeout_s = timeout_s
        self._owner = owner
        self._due_s: float | None = None
        self._outer_due_s: float | None = None
        self._outer_every_s = 0.0
        self._before: Any = signal.getsignal(signal.SIGALRM)

    def begin(self) -> None:
        """From now on it may ring."""
        signal.signal(signal.SIGALRM, self._ring)
        now_s = time.monotonic()
        left_s, self._outer_every_s = signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        if left_s:
            self._outer_due_s = now_s + left_s
        self._due_s = now_s + self._timeout_s
        if left_s and left_s < self._timeout_s:
            signal.setitimer(signal.ITIMER_REAL, left_s)

    def end(self) -> None:
        """Put back what was there before, with what is left of its time."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._outer_due_s is not None:
            left_s = max(self._outer_due_s - time.monotonic(), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left_s, self._outer_every_s)

    def _ring(self, number: int, frame: Any) -> None:
        if self.is_over:
            return
        now_s = time.monotonic()
        if self._due_s is None:  # not set yet: it is the one before us that rings
            self._ring_before(number, frame)
        elif self._outer_due_s is not None and self._outer_due_s <= now_s:
            self._outer_due_s = now_s + self._outer_every_s if self._outer_every_s else None
            next_s = self._due_s if self._outer_due_s is None else min(self._due_s, self._outer_due_s)
            signal.setitimer(signal.ITIMER_REAL, max(next_s - now_s, 1e-6))
            self._ring_before(number, frame)
        else:
            self.is_over = True
            raise TaskTimeout(owner=self._owner)

    def _ring_before(self, number: int, frame: Any) -> None:
        if callable(self._before):
            self._before(number, frame)
        elif self._before == signal.SIG_DFL:  # then the process was to be ended
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.raise_signal(number)


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
    forks = _forks
    for handler in task.state_handlers:
        try:
            replaced = handler(task, old, new)
        except signals.Signal as signal_:
            return signal_.state
        except BaseException as error:  # SystemExit too: a handler ends no run
            if forks != _forks or is_for_others(error):
                raise
            return api.Failed(f"Exception raised while calling state handlers: {short(error)}", result=error)
        if isinstance(replaced, api.State):
            new = replaced
    return new


def failed_outcome(call: Call, error: BaseException, started_us: int) -> Outcome:
    """The outcome of an attempt that raised."""
    proposed = _state_of(call, error)
    if proposed.is_looped():
        assert isinstance(proposed, api.Looped)
        proposed.loop_count = call.loop
    return _settled(call, proposed, started_us, error)


def _settled(call: Call, proposed: api.State, started_us: int, error: BaseException | None = None) -> Outcome:
    """The outcome, once the handlers have seen the state; a failure, theirs too, is tried again if a retry is left."""
    state = proposed if call.is_plain else _handled(call, api.Running(), proposed)
    if not state.is_failed():
        return _outcome(call, state, started_us, None, proposed)
    if error is None and isinstance(state.result, BaseException):
        error = state.result
    details: dict[str, Any] = {}
    if error is not None:
        kind = "TimeoutError" if isinstance(error, TaskTimeout) else type(error).__name__
        details = {"error": kind, "traceback": _told(error)}
    policy = call.task.retry_policy
    if policy.attempts > call.attempt and _worth_a_retry(call.task, state.result):
        delay = policy.delay_after(call.attempt, luck=random.random())  # noqa: S311 - spreads retries, guards nothing
        assert delay is not None
        retrying = api.Retrying(message=state.message, result=state.result, run_count=call.attempt, start_time=delay)
        state = retrying if call.is_plain else _handled(call, state, retrying)
        if state is retrying:
            return _outcome(call, state, started_us, details)
    return _outcome(call, state, started_us, details, proposed)


def retry_details(state: api.State) -> dict[str, Any]:
    """When a state that rests goes on, as its event carries it.

    Returns:
        ``due_us``, microseconds since 1970, 0 for at once; and ``rest_us`` where it was said how long to rest.
    """
    start = getattr(state, "start_time", None)
    if isinstance(start, timedelta):
        rest_us = min(max(round(start.total_seconds() * 1e6), 0), LATEST_US)
        return {"due_us": min(time.time_ns() // 1000 + rest_us, LATEST_US), "rest_us": rest_us}
    try:
        due_us = int(start.timestamp() * 1e6) if isinstance(start, datetime) else 0
    except (ValueError, OverflowError, OSError):  # a time too early or too late for this machine, or none: NaT
        due_us = 0
    return {"due_us": due_us}


def _worth_a_retry(task: Task, error: Any) -> bool:
    return task.retry_on is None or isinstance(error, task.retry_on)


def _state_of(call: Call, error: BaseException) -> api.State:
    if isinstance(error, signals.Signal):
        return error.state
    if isinstance(error, TaskTimeout):
        message = f"Timed out after {timedelta(seconds=call.timeout_s or 0)}."
        return api.TimedOut(message, result=TimeoutError(message))
    return api.Failed(f"Error during execution of task: {short(error)}", result=error)


def _told(error: BaseException) -> str:
    """The traceback as text, beginning in the task's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    if isinstance(error, TaskTimeout):  # where the task was when its time was up; not our own frame, nor our own error
        where = "".join(traceback.format_tb(trace)[:-1])
        return f"Traceback (most recent call last):\n{where}TimeoutError: its time was up\n"
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # its own ``__str__``, or its fields, may be anything
        where = "".join(traceback.format_tb(trace))
        text = f"Traceback (most recent call last):\n{where}{short(error)}\n"
    return bounded(text, LONGEST_TRACEBACK)


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
    if event_state is S.RETRYING:
        known.update(retry_details(state))
    if call.task.task_run_name is not None and call.context is not None and "task_run_name" in call.context:
        known["run_name"] = call.context["task_run_name"]
    return Outcome(
        call.ref,
        call.attempt,
        event_state,
        state.result,
        bounded(str(state.message or ""), LONGEST_MESSAGE),
        started_us,
        time.time_ns() // 1000,
        known or None,
    )


# -- results that are files --------------------------------------------------------------------------------------------


_ARGUMENTS_OF_WRITE = frozenset({"self", "value", "location"})


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
    keeps_all = call.facts.keeps_results  # the flow itself has a result, as default of its tasks
    wants_file = location is not None or call.task.result is not None or keeps_all
    if wants_file and results is not None and call.task.checkpoint is not False and value is not None:
        keys = {key: value for key, value in context.to_dict().items() if key not in _ARGUMENTS_OF_WRITE}
        results.write(value, location, **keys)
    return api.Success(result=value)
