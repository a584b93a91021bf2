"""One attempt of one task, from its call to its outcome, in whatever thread or process it is made."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.context import attempt_here, context
from notebook_flows.core.lifecycle import S
from notebook_flows.engine import forks
from notebook_flows.engine.attempt_context import Attempt, TaskContext, task_logger
from notebook_flows.engine.call import Outcome, Pickled, unwrapped
from notebook_flows.engine.endings import failed_outcome, outcome_of, settled
from notebook_flows.engine.handlers import announced
from notebook_flows.engine.targets import from_target, kept
from notebook_flows.engine.timeouts import TaskTimeout, in_time, is_for_others
from notebook_flows.engine.wording import LONGEST_MESSAGE, bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from notebook_flows.engine.call import Call

_SUCCESS = S.SUCCESS

_new_outcome = tuple.__new__


def perform(call: Call) -> Outcome:
    """Make the attempt in this thread.

    A timeout is enforced by an interval timer, in the main thread only; elsewhere the executor has to do it.

    Raises:
        KeyboardInterrupt: it was interrupted; whoever called decides what that means.
        TaskTimeout: of a task around this one: the time of the attempt that runs this flow is up.
        BaseException: in a process that the task has forked: it must not go on as a second engine.
    """
    attempt = Attempt(call)
    forks_before = forks.count
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
        if forks_before != forks.count or type(value) is CoroutineType:
            value = _unexpected(call, value, forks_before)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a task raises, SystemExit too, is the task's outcome
        if forks_before != forks.count or is_for_others(error, attempt):
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
    forks_before = forks.count
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
                async with asyncio.timeout(call.timeout_s or None):
                    value = await running  # in no asyncio task of its own, whose KeyboardInterrupt would end the loop
        except TimeoutError as error:
            if call.timeout_s and time.time_ns() // 1000 - started_us >= call.timeout_s * 1e6:
                raise TaskTimeout from error
            raise
        if forks_before != forks.count or type(value) is CoroutineType:
            value = _unexpected(call, value, forks_before)
        return _with_result(call, settled(call, kept(call, value), started_us))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:  # as in `perform`
        if forks_before != forks.count or is_for_others(error, attempt):
            raise
        return failed_outcome(call, error, started_us)
    finally:
        attempt_here.reset(token)


def _with_all(call: Call, arguments: dict[str, Any], started_us: int, attempt: Attempt) -> Outcome:
    """The attempt with all that a task may ask for: handlers, timeout, context, captured prints, target."""
    task = call.task
    forks_before = forks.count
    ended = _before(call, started_us)
    if ended is not None:
        return ended
    arguments = dict(arguments)
    _give_context(call, arguments)

    def run() -> Any:
        value = task.run(**arguments)
        if call.is_async:
            value = _awaited(value)
        return (
            _unexpected(call, value, forks_before)
            if forks_before != forks.count or type(value) is CoroutineType
            else value
        )

    with _printed(attempt) if task.log_stdout else nullcontext():
        value = in_time(call.timeout_s, attempt, run)
    return _with_result(call, settled(call, kept(call, value), started_us))


def _with_result(call: Call, outcome: Outcome) -> Outcome:
    """The outcome, once its result is kept for other runs, where that is wanted."""
    keeper = call.facts.keeper
    if keeper is None or outcome.state is not _SUCCESS:
        return outcome
    said = keeper.keep(call.task_key, outcome.value)
    return outcome if said is None else outcome._replace(details={**(outcome.details or {}), "kept": said})


def _before(call: Call, started_us: int) -> Outcome | None:
    """What comes before the task's own code; the outcome, if that is all: its handlers said so, or its target exists."""
    _give_name(call)
    replaced = announced(call)
    if replaced is not None:
        return outcome_of(call, replaced, started_us, None, api.Running())
    found = from_target(call)
    return None if found is None else settled(call, found, started_us)


def _give_name(call: Call) -> None:
    """Fill in ``task_run_name``; a name that cannot be made harms nobody."""
    template = call.task.task_run_name
    if template is None:
        return
    keys = {**context.to_dict(), **call.arguments}
    try:
        name = str(template(**keys) if callable(template) else template.format(**keys))
    except Exception:  # what only shows the run must not end it
        task_logger(call).warning("The task_run_name of %r cannot be made.", call.task.name, exc_info=True)
        return
    call.context = {**(call.context or {}), "task_run_name": bounded(name, LONGEST_MESSAGE)}


def _give_context(call: Call, arguments: dict[str, Any]) -> None:
    if call.task._signature.wants_context and "context" not in arguments:
        arguments["context"] = TaskContext(context.to_dict())


def _printed(attempt: Attempt) -> Any:
    from notebook_flows.engine.logs import printed_by

    return printed_by(attempt)


def _loaded(call: Call) -> dict[str, Any]:
    """The arguments, with what is still in another process's bytes loaded."""
    return {
        name: [unwrapped(one) for one in value] if name in call.gathered else unwrapped(value)
        for name, value in call.arguments.items()
    }


def _unexpected(call: Call, value: Any, forks_before: int) -> Any:
    """What is to be made of a task that came back in a process of its own, or with a coroutine."""
    if forks_before != forks.count:
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
