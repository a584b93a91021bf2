"""The worker process of `ProcessExecutor`: reads calls from its socket, runs them in its main thread, tells outcomes."""

from __future__ import annotations

import marshal
import os
import pickle
import signal
import threading
from collections import deque
from contextlib import ExitStack
from select import select
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import _layers
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.call import Call, Outcome, Pickled, unwrapped
from notebook_flows.engine.logs import caught
from notebook_flows.errors import NotTransferable
from notebook_flows.executors import frames, notes, shelf
from notebook_flows.executors.pickles import dump_exception, dumps, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import LogLine
    from notebook_flows.executors.frames import Frame

_NONE = pickle.dumps(None, 5)
_TAKEN = frames.packed(frames.TAKEN, None)


class Worker:
    """The worker's end of the socket.

    Attributes:
        waiting: calls that have arrived and not begun: (head of the frame, its body).
        dropped: (ref, attempt) of links that must not begin.
    """

    def __init__(self, data: int, control: int) -> None:
        self._data = data
        self._control = control
        self._sending = threading.Lock()
        self._heeding = threading.Lock()
        self.waiting: deque[tuple[Any, bytes]] = deque()
        self.dropped: set[tuple[int, int]] = set()
        self._run_id = ""
        self._catching = ExitStack()

    def serve(self) -> None:
        """Run calls, one after the other, until the parent lets go."""
        threading.Thread(target=self._obey, name="notebook-flows-control", daemon=True).start()
        notes.tell_by(lambda number, note: self._send(frames.packed(frames.NOTE, number, note)))
        reader = frames.FrameReader(self._data)
        self._send(frames.packed(frames.READY, os.getpid()))
        while True:
            while self.waiting:
                try:
                    head, body = self.waiting.popleft()
                except IndexError:  # just given back
                    break
                self._run(head, body)
                del head, body  # holds no values while it waits
            try:
                self._receive(reader)
            except (EOFError, ConnectionError):
                return

    def _receive(self, reader: frames.FrameReader) -> None:
        """Take frames until calls are there, all those that were sent together."""
        missing = 1
        while missing:
            for frame in reader.receive():
                if frame.kind == frames.CALL:
                    missing = frame.head[0]
                    self.waiting.append((frame.head, frame.body))
                else:
                    self._take(frame)
        self._send(_TAKEN)

    def _take(self, frame: Frame) -> None:
        if frame.kind == frames.THING:
            shelf.remember(frame.head, frame.body)
        elif frame.kind == frames.FORGET:
            shelf.forget(frame.head)

    # -- one call ------------------------------------------------------------------------------------------------------

    def _run(self, head: tuple[int, int, int, str], body: bytes) -> None:
        _, ref, attempt, name = head
        began_us = time_ns() // 1000
        try:
            first = _call_from(body)
        except BaseException as error:  # unpickling runs the user's code, and imports what this process may not have
            problem = NotTransferable(
                f"Task {name!r} arrived in its worker process but cannot be read there: {type(error).__name__}: {error}"
            )
            self._tell(
                Outcome(ref, attempt, S.FAILED, _caused(problem, error), str(problem), began_us, _now_us()), name
            )
            return
        self._listen_to(first.facts.run_id)
        call: Call | None = first
        while call is not None:
            outcome = self._outcome_of(call)
            then, passes_to = call.then, call.passes_to
            goes_on = self._tell(outcome, call.task.name, may_go_on=then is not None)
            if goes_on and then is not None and passes_to is not None:
                then.arguments[passes_to] = outcome.value
            call = then if goes_on else None
            if call is not None:
                self._heed()

    def _listen_to(self, run_id: str) -> None:
        """From now on what the tasks of this run log goes to the parent."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._catching.close()
            self._catching.enter_context(caught(run_id, lambda lines: self._tell_lines(run_id, lines)))

    def _tell_lines(self, run_id: str, lines: Sequence[LogLine]) -> None:
        self._send(frames.packed(frames.LINES, (run_id, [tuple(line) for line in lines])))

    def _outcome_of(self, call: Call) -> Outcome:
        if self.dropped and (call.ref, call.attempt) in self.dropped:
            return Outcome(
                call.ref, call.attempt, S.CANCELLED, None, "Cancelled before it began.", _now_us(), _now_us()
            )
        began_us = time_ns() // 1000
        try:
            for name, value in call.arguments.items():
                if type(value) is Pickled or name in call.gathered:
                    call.arguments[name] = _read(call, name, value)
            if call.timeout_s is not None:
                self._send(frames.packed(frames.BEGUN, (call.ref, call.attempt)))
            if call.is_async:
                import asyncio

                from notebook_flows.engine.attempt import perform_async

                return asyncio.run(perform_async(call))
            return perform(call)
        except NotTransferable as problem:
            return Outcome(call.ref, call.attempt, S.FAILED, problem, str(problem), began_us, _now_us())
        except BaseException as error:  # KeyboardInterrupt, of a signal sent to this process alone
            message = f"Interrupted by {type(error).__name__}."
            return Outcome(call.ref, call.attempt, S.CANCELLED, None, message, began_us, _now_us())

    def _tell(self, outcome: Outcome, name: str, *, may_go_on: bool = False) -> bool:
        """Send an outcome; whether the segment goes on after it."""
        value, state, message = outcome.value, outcome.state, outcome.message
        if isinstance(value, BaseException):
            body, words, is_error = dump_exception(value), words_of(value), True
        else:
            words, is_error = None, False
            try:
                body = _NONE if value is None else dumps(value)
            except BaseException as error:  # pickling runs the user's code
                problem = _caused(_unsendable(name, value, error), error)
                body, words, is_error = dump_exception(problem), words_of(problem), True
                state, message = S.FAILED, str(problem)
        goes_on = may_go_on and state is S.SUCCESS
        report = frames.Report(
            outcome.ref, outcome.attempt, int(state), str(message), outcome.started_us, outcome.ended_us,
            _plain(outcome.details), is_error, words, goes_on,
        )  # fmt: skip
        self._send(frames.packed(frames.OUTCOME, tuple(report), body))
        return goes_on

    def _send(self, buffers: Sequence[bytes]) -> None:
        with self._sending:
            for buffer in buffers:
                view: bytes | memoryview = buffer
                while (count := os.write(self._data, view)) < len(view):
                    view = memoryview(view)[count:]

    # -- the parent's wishes, in a thread of their own -----------------------------------------------------------------

    def _obey(self) -> None:
        """Hear what the parent wants while a call runs; end with it."""
        while True:
            select([self._control], [], [])
            self._heed()

    def _heed(self) -> None:
        """Do what the parent has asked for until now; by whichever thread, it is done on return."""
        with self._heeding:
            while select([self._control], [], [], 0)[0]:
                try:
                    told = os.read(self._control, frames.CONTROL.size)
                except OSError:
                    told = b""
                if len(told) < frames.CONTROL.size:
                    os.killpg(0, signal.SIGKILL)
                verb, ref, attempt = frames.CONTROL.unpack(told)
                if verb == frames.DROP:
                    self.dropped.add((ref, attempt))
                else:
                    self._give_back()

    def _give_back(self) -> None:
        back: list[tuple[int, int]] = []
        while True:
            try:
                head, _ = self.waiting.pop()
            except IndexError:  # the main thread may have taken the last one
                break
            back.append((head[1], head[2]))
        self._send(frames.packed(frames.BACK, back[::-1]))


def _call_from(body: bytes) -> Call:
    call: Call | None = None
    for (
        ref, attempt, task_key, task, arguments, facts, loop, index, gathered, is_plain, context, upstream_states,
        timeout_s, is_async, passes_to,
    ) in reversed(pickle.loads(body)):  # fmt: skip
        setting = shelf.recalled(facts)
        call = Call(
            ref=ref,
            task_key=task_key,
            task=shelf.recalled(task) if type(task) is int else task,
            arguments=arguments,
            facts=setting.facts,
            attempt=attempt,
            loop=loop,
            index=index,
            gathered=gathered,
            is_plain=is_plain,
            context=context,
            upstream_states=upstream_states,
            timeout_s=timeout_s,
            is_async=is_async,
            then=call,
            passes_to=passes_to,
        )
    assert call is not None
    _layers.set(setting.keys)
    return call


def _read(call: Call, name: str, value: Any) -> Any:
    try:
        return [unwrapped(one) for one in value] if name in call.gathered else unwrapped(value)
    except BaseException as error:  # unpickling runs the user's code
        problem = NotTransferable(
            f"Task {call.task.name!r}: its argument {name!r} cannot be read in its worker process: "
            f"{type(error).__name__}: {error}"
        )
        raise _caused(problem, error) from error


def _unsendable(name: str, value: Any, error: BaseException) -> NotTransferable:
    return NotTransferable(
        f"Task {name!r} returned a {type(value).__name__}, which cannot be sent back from its worker process "
        f"({type(error).__name__}: {error}). Return plain data instead, such as a list, a DataFrame or the path of a "
        "file; or run the flow with threads."
    )


def _caused(problem: NotTransferable, error: BaseException) -> NotTransferable:
    problem.__cause__ = error
    return problem


def _plain(details: Any) -> Any:
    """Details as plain builtins, whatever was put there."""
    if details is None:
        return None
    try:
        marshal.dumps(details)
    except ValueError:
        import json

        return json.loads(json.dumps(details, default=str))
    return details


def _now_us() -> int:
    return time_ns() // 1000
