"""The engine: one loop, in the thread that called `flow.run()`: decide, obey, wait, record. It alone makes events."""

from __future__ import annotations

import logging
import os
from collections import deque
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.core.context import context
from notebook_flows.core.decide import Command, End, Expand, Judge, Mark, Start, asked_in_turn, decide
from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.run import tally
from notebook_flows.engine.arguments import Arguments
from notebook_flows.engine.attachments import Attachments, is_attachment
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.cache import RECENT
from notebook_flows.engine.final_state import judged_by_flow
from notebook_flows.engine.handed_out import HandedOut
from notebook_flows.engine.inbox import WaitingInbox
from notebook_flows.engine.interrupts import Interrupts
from notebook_flows.engine.preparation import Preparation
from notebook_flows.engine.record import Record
from notebook_flows.engine.reopening import Retries, try_again
from notebook_flows.engine.stopping import reached_by, tell_stopping
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.engine.verdicts import MOST_ROUNDS_BY_HANDLERS, Verdicts
from notebook_flows.engine.warned import warn_caller
from notebook_flows.engine.wording import said, short
from notebook_flows.errors import FlowError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Call, LogLine, Outcome, RunFacts
    from notebook_flows.engine.coroutines import CoroutineLane
    from notebook_flows.engine.ports import Executor, Observer, Reuse, RunLog, WaitingClock
    from notebook_flows.engine.results import Ledger

BACKLOG = 1024
BACKLOG_PER_WORKER = 64
"""How many calls an executor may have at least, all in all and for each worker: enough to send them in batches."""
BACKLOG_HERE = 64
"""How many calls an executor that works in the engine's thread may have: enough to decide about many at once."""
MOMENT_S = 0.005
"""How long the engine lets such an executor work before it looks whether the history can still be written."""
LOOK_AROUND_S = 0.5
"""How long the engine sleeps at most before it looks for requests of other processes."""
BATCH = 256
PATIENCE_S = 0.7
"""How long an interrupted run waits for its last commit; threads may have taken a second before."""
INTERRUPTED = "Interrupted (Ctrl-C)."
LOG_GAVE_UP = "The history cannot be written."

# looked up once: see `core.run`
_QUEUED, _RUNNING, _SUCCESS = S.QUEUED, S.RUNNING, S.SUCCESS
_BEGUN = (S.RUNNING, S.RETRYING, S.LOOPED, S.EXPANDED)


class Engine:
    """Runs one plan to its end.

    Args:
        run: where it stands; nothing has happened yet.
        flow: whose tasks these are.
        tasks: the n tasks, in the graph's order.
        facts: what all attempts have in common.
        log: where events go.
        executor: where attempts are made.
        clock: the time.
        timeout_s: how long the whole run may take, or None.
        ask: asks a person whether a paused task may go on; None where nobody is there.
        raise_errors: an exception of a task ends the run and is raised.
        task_contexts: {task: more keys of the context, for it alone}.
        observers: are told of all events, before they are committed.
        reuse: knows what need not run, and what to keep; None: everything runs, and nothing is kept.
    """

    def __init__(
        self,
        *,
        run: Run,
        flow: Flow,
        tasks: list[Task],
        facts: RunFacts,
        log: RunLog,
        executor: Executor,
        clock: WaitingClock,
        ledger: Ledger,
        timeout_s: float | None = None,
        ask: Callable[[str], bool] | None = None,
        raise_errors: bool = False,
        task_contexts: Mapping[Task, Mapping[str, Any]] | None = None,
        observers: Sequence[Observer] = (),
        reuse: Reuse | None = None,
    ) -> None:
        self.run = run
        self.flow = flow
        self.tasks = tasks
        self.facts = facts
        self.log = log
        self.executor = executor
        self.clock = clock
        self.ledger = ledger
        self.timeout_s = timeout_s
        self.raise_errors = raise_errors
        self._reuse = reuse
        self._looks_at = frozenset[int]() if reuse is None else reuse.looks_at
        self._has_to_run: int | None = None
        """Which task run was asked about just now: it is the next to start, and not asked about twice."""
        self._refused: set[int] = set()
        """Whose handlers have not let it end with what an earlier run has left: it runs."""
        self.error_to_raise: BaseException | None = None
        self.final_state: api.State | None = None
        self._size = len(tasks)
        self._plain = run.plan.plain
        self._reason = ""
        self._retries = Retries()
        self._flow_was_asked = False
        self._lane: CoroutineLane | None = None
        self._looked_s = clock.monotonic_s()
        self._deadline_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
        self._works_here = executor.works_here
        self._is_one_by_one = executor.works_here and executor.workers == 1 and getattr(executor, "keeps_order", False)
        self._in_segments = executor.takes_segments and not self._works_here
        self._most_in_flight = self._capacity()
        self._here: deque[int] = deque()
        self._inbox = WaitingInbox()
        self._interrupts = Interrupts(self._inbox.wake)
        self._handed_out = HandedOut()
        self._arguments = Arguments(run, flow, tasks, ledger)
        self._preparation = Preparation(
            run,
            flow,
            tasks,
            facts,
            self._arguments,
            clock,
            task_contexts or {},
            ends_tasks_by_s=self._deadline_s if executor.works_here else None,
        )
        self._record = Record(run, log, observers, self._log_gave_up)
        self._attached = self._inbox.attached
        self._attachments = Attachments(run, self._record, log)
        self._verdicts = Verdicts(
            run=run,
            tasks=tasks,
            facts=facts,
            arguments=self._arguments,
            preparation=self._preparation,
            record=self._record,
            ledger=ledger,
            clock=clock,
            interrupts=self._interrupts,
            ask=ask,
        )

    def _capacity(self) -> int:
        workers = self.executor.workers
        if self.run.plan.fail_fast:
            return workers  # what waits in an executor would start after a failure too
        if self._works_here:  # a call knows, when it is made, how much is left of the run's time
            return BACKLOG_HERE if self._is_one_by_one and self._deadline_s is None else workers
        return max(BACKLOG, self.executor.workers * BACKLOG_PER_WORKER)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run_to_end(self, first: Mapping[str, Any]) -> None:
        """Run until nothing is left to do, and everything is recorded.

        Args:
            first: what the first event carries: the graph and the parameters.
        Raises:
            KeyboardInterrupt: Ctrl-C; until then all is recorded.
            StoreError: the history gave up; what ran until then is in the spool that the message names.
        """
        problem: BaseException | None = None
        pid = os.getpid()
        with self._interrupts as interrupts, reached_by(self.facts.run_id, interrupts.cancel, self._retry):
            try:
                self._record.add_of_run(self.clock.now_us(), S.RUNNING, first)
                self.executor.start(self._inbox, self.facts)
                self._loop()
            except BaseException as error:  # whatever it is: the end is recorded first, then it goes on its way
                if os.getpid() != pid:
                    raise  # in a child that a task has forked off: the run is its parent's
                problem = error
            interrupts.is_winding_up = True
            problem = self._wound_up(problem)
        if problem is None and interrupts.asked:
            problem = KeyboardInterrupt(interrupts.said or INTERRUPTED)  # pressed when there was nothing left to stop
        if problem is not None:
            if self._record.error is not None and problem is not self._record.error:
                problem.add_note(str(self._record.error))
            raise problem
        if self._record.error is not None:
            raise self._record.error

    def _loop(self) -> None:
        interrupts, run, clock, log = self._interrupts, self.run, self.clock, self.log
        inbox, here, in_lane = self._inbox, self._here, self._handed_out.in_lane
        while True:
            if interrupts.asked or inbox.interrupted:
                raise KeyboardInterrupt(interrupts.said or INTERRUPTED)
            if interrupts.cancel_reason and not run.stopping:
                self._stop(S.CANCELLED, interrupts.cancel_reason)
            may_start = log.may_start()
            if may_start and not here and self._room() > 0 and self._take_known():
                self._take_arrived()
                continue  # there may be more of them
            commands: Sequence[Command] = ()
            while not here:
                commands = decide(
                    run,
                    room=self._room() if may_start else 0,
                    now_us=clock.now_us() if run.due else 0,
                    in_segments=self._in_segments,
                    one_by_one=self._is_one_by_one,
                )
                were_taken = bool(commands)
                for command in commands:
                    if type(command) is not Start:
                        self._obey(command)
                        were_taken = False
                    elif not self._start(command):
                        were_taken = False
                self._has_to_run = None
                if run.is_over:
                    return
                if not were_taken:
                    break
                if self._record.waiting > BACKLOG_HERE:
                    self._record.hand_over()
                    break  # else what follows what was taken from earlier runs is decided at once
            if self._works_here and run.in_flight > len(in_lane) and (may_start or not here):
                self._work_here()
            elif not commands:  # else what they have led to, such as the children of a mapped task, comes first
                self._wait_for_outcomes()
            self._take_arrived()

    def _room(self) -> int:
        """How many more calls may be handed out."""
        return self._most_in_flight - self.run.in_flight + len(self._handed_out.in_lane)

    def _take_arrived(self) -> None:
        arrived = self._inbox.arrived
        for _ in range(BATCH):
            if not arrived:
                break
            self._take(arrived.popleft())
        self._look_around()

    def _take_known(self) -> bool:
        """Take from earlier runs what is next, one after the other, until one has to run.

        Returns:
            Whether there may be more: one has to look around first.
        """
        run, size = self.run, self._size
        for number in islice(asked_in_turn(run, self._looks_at), BACKLOG_HERE):
            node, index = (number, UNMAPPED) if number < size else run.place_of(number)
            if not self._need_not_run(number, node, index):
                self._has_to_run = number
                run.put_back(number)
                return False
        if self._record.waiting < BACKLOG_HERE:
            return False
        self._record.hand_over()
        return True

    def _work_here(self) -> None:
        """Let the executor make attempts in this thread, one after the other, for a moment."""
        interrupts, record, here, arrived = self._interrupts, self._record, self._here, self._inbox.arrived
        clock, work, take = self.clock, self.executor.work, self._take
        until_s = clock.monotonic_s() + MOMENT_S
        while True:
            if here:
                self._show(here.popleft(), clock.now_us())
            record.hand_over()
            interrupts.in_user_code = True
            try:
                if interrupts.cancel_reason:
                    return
                work()
            finally:
                interrupts.in_user_code = False
            if not here:
                return
            while arrived:
                take(arrived.popleft())
            if not here or interrupts.asked or self._inbox.interrupted or clock.monotonic_s() >= until_s:
                return

    def _wait_for_outcomes(self) -> None:
        self._record.hand_over()
        if self._inbox.is_empty() and (self.run.in_flight or self.run.due or self.run.frontier):
            self._show_started()
            if self.run.in_flight:
                self._inbox.wait(self._patience_s())
            else:
                self._inbox.wait_by(self.clock, self._due_in_s(), look_s=LOOK_AROUND_S)
            if self._inbox.is_empty():
                self._looked_s = -inf

    def _look_around(self) -> None:
        """Twice a second: is the time up, has another process asked for something?"""
        if self._attached:
            self._take_attached()
        now_s = self.clock.monotonic_s()
        if self._deadline_s is not None and now_s >= self._deadline_s and not self.run.stopping:
            self._stop(S.TIMED_OUT, f"The flow took longer than its timeout of {self.timeout_s:g} s.")
        if now_s - self._looked_s >= LOOK_AROUND_S:
            self._looked_s = now_s
            reason = self._asked_to_cancel()
            if reason and not self.run.stopping:
                self._stop(S.CANCELLED, reason)
        if self._retries.take():
            self._try_again()

    def _try_again(self) -> bool:
        return try_again(self.run, self.tasks, self._record, self.ledger, self.clock.now_us(), self._warn) > 0

    def _retry(self, request: int) -> bool:
        """Have tried again, soon, what has failed; any thread may ask. False: it is too late."""
        is_in_time = self._retries.ask(request)
        self._inbox.wake()
        return is_in_time

    def _asked_to_cancel(self, *, at_once: bool = False) -> str:
        """Why another process wants the run to be cancelled, or nothing."""
        for request in self.log.requests(at_once=at_once):
            if request.verb == "cancel":
                return str(request.payload.get("reason", "Cancelled from outside."))
            if request.verb == "retry":
                self._retries.ask(request.number)
        return ""

    def _is_tried_again(self, command: End) -> bool:
        """Whether, at the last moment, somebody wants to have tried again what has failed: then the run goes on."""
        if not self.run.has_failed or self.run.stopping or command.state is S.PAUSED:
            return False
        if self._asked_to_cancel(at_once=True):
            return False  # nothing is left to stop, and nothing shall be begun
        return self._retries.take(or_close=True) and self._try_again()

    def _patience_s(self) -> float:
        due_in_s = self._due_in_s()
        return LOOK_AROUND_S if due_in_s is None else min(due_in_s, LOOK_AROUND_S)

    def _due_in_s(self) -> float | None:
        """How long until a task has rested enough, or the run's time is up; None if there is no such moment."""
        moments = []
        if self.run.due:
            moments.append((self.run.due[0][0] - self.clock.now_us()) / 1e6)
        if self._deadline_s is not None:
            moments.append(self._deadline_s - self.clock.monotonic_s())
        return max(min(moments), 0.0) if moments else None

    # -- obeying -------------------------------------------------------------------------------------------------------

    def _obey(self, command: Command) -> None:
        if type(command) is Mark:
            self._verdicts.mark(command.number, command.state, command.reason)
        elif type(command) is Judge:
            self._verdicts.judge(command.number)
        elif type(command) is Expand:
            self._verdicts.expand(command.node)
        elif type(command) is End and not self._is_tried_again(command):
            self._retries.close()
            self._end(command)

    def _start(self, command: Start) -> bool:
        """Hand it out, unless an earlier run has left its result; returns whether it has ended by that."""
        number = command.number
        node, index = (number, UNMAPPED) if number < self._size else self.run.place_of(number)
        task = self.tasks[node]
        if node in self._looks_at and number != self._has_to_run and self._need_not_run(number, node, index):
            return number not in self._refused
        try:
            call = self._preparation.make(number, task)
            if not call.is_plain and task.cache_for is not None and self._from_cache(number, task, call):
                return True
        except Exception as error:  # an element that cannot be taken, bytes that do not load: the task's own failure
            why = said(error) if isinstance(error, FlowError) else short(error)
            self._verdicts.mark(number, S.FAILED, f"Its arguments could not be made: {why}", value=error)
            return False
        if self._is_one_by_one and call.is_plain:
            self.executor.submit(call)
            self._here.append(number)
            return False
        if command.then:
            self._preparation.add_segment(call, command.then, self._handed_out)
        if not self._is_one_by_one:
            self._handed_out.add(number, self.clock.now_us(), self.executor.workers)
        if call.is_async and not self.executor.is_remote:
            self._submit_async(call)
        elif task._is_parameter and self.executor.is_remote:
            self._inbox.put(perform(call))  # its value is here: no use in sending it to and fro, least of all a secret
        else:
            self.executor.submit(call)
            if self._is_one_by_one:
                self._here.append(number)
            elif self._works_here:
                self._show(number, self.clock.now_us())
        return False

    def _submit_async(self, call: Call) -> None:
        """Async tasks run side by side, and begin at once; they take no worker."""
        self._handed_out.in_lane.add(call.ref)
        if self._lane is None:
            from notebook_flows.engine.coroutines import CoroutineLane  # with asyncio, which few flows need

            self._lane = CoroutineLane(self._inbox, self.facts)
        self._show(call.ref, self.clock.now_us())
        self._lane.submit(call)

    def _need_not_run(self, number: int, node: int, index: int) -> bool:
        """Whether an earlier run has left its result; then that is recorded."""
        if self._reuse is None:
            return False
        if self.run.attempt[number] or number in self.run.loops or number in self._refused:
            if self.run.attempt[number] and number not in self.run.loops:
                self._reuse.begins_again(number, node, index)
            return False  # it has begun already, and goes on by itself
        taken = self._reuse.find(number, node, index)
        if taken is None:
            return False
        self._verdicts.take(number, taken)
        if not IS_FINAL[self.run.state[number]]:
            self._refused.add(number)
        return True

    def _from_cache(self, number: int, task: Task, call: Call) -> bool:
        found = RECENT.find(task, call.arguments, self.facts.context.get("parameters", {}), self.clock.now_us())
        if found is None:
            return False
        self._verdicts.mark(number, S.CACHED, "Used a cached result.", value=found.result)
        return True

    # -- outcomes ------------------------------------------------------------------------------------------------------

    def _take(self, outcome: Outcome) -> None:
        if self._attached:
            self._take_attached()
        number = outcome.ref
        run = self.run
        state = run.state[number]
        if state is _QUEUED:
            is_current = outcome.attempt == run.attempt[number] + 1
            if is_current:
                self._show(number, outcome.started_us)
        else:
            is_current = state is _RUNNING and outcome.attempt == run.attempt[number]
        if not is_current:
            return  # late: the attempt was given up
        if not self._is_one_by_one or self._handed_out.in_lane:
            self._handed_out.came_back(number, has_succeeded=outcome.state is _SUCCESS)
        self.ledger.values[number] = outcome.value
        node, index = (number, UNMAPPED) if number < self._size else run.place_of(number)
        if outcome.state is _SUCCESS and not outcome.message and outcome.details is None and not run.loops:
            if self.ledger.messages:
                self.ledger.messages.pop(number, None)  # what an earlier attempt had to say
            self._record.add_of_task(outcome.ended_us, node, index, outcome.attempt, 1, _SUCCESS)
        else:
            self._take_unusual(outcome, node, index)
        if outcome.state is _SUCCESS and not self._plain[node] and self.tasks[node].cache_for is not None:
            self._keep(number, node, index, outcome.ended_us)

    def _keep(self, number: int, node: int, index: int, ended_us: int) -> None:
        """Remember a result for other runs in this process."""
        make = self._arguments
        arguments = make.of_task(node)[0] if index == UNMAPPED else make.of_child(node, index)[0]
        parameters = self.facts.context.get("parameters", {})
        try:
            RECENT.keep(self.tasks[node], self.ledger.value(number), arguments, parameters, ended_us)
        except Exception:  # bytes of another process that do not load here: the value is not kept, and that is all
            logging.getLogger(__name__).warning("The result of %s is not cached.", self.tasks[node].name, exc_info=True)

    def _take_unusual(self, outcome: Outcome, node: int, index: int) -> None:
        number, new = outcome.ref, outcome.state
        data = dict(outcome.details or {})
        if "kept" in data:
            kept = data.pop("kept")
            if self._reuse is not None:
                took_us = outcome.ended_us - outcome.started_us
                data["result"] = self._reuse.ended(number, node, index, kept, took_us)
        elif new is S.SKIPPED and self._reuse is not None and node in self._reuse.looks_at:
            told = self._reuse.skipped(number, node)
            if told is not None:
                data["result"] = told
        if "rest_us" in data:  # by our clock, not the worker's
            data["due_us"] = self.clock.now_us() + data.pop("rest_us")
        if outcome.message:
            self.ledger.messages[number] = outcome.message
            data["message"] = outcome.message
        else:
            self.ledger.messages.pop(number, None)  # what an earlier attempt or round had to say
        if new is S.PAUSED and self._verdicts.is_told_to_go_on(number):
            return
        loop = self.run.loops.get(number, 0) + 1
        if new is S.LOOPED:
            if loop >= MOST_ROUNDS_BY_HANDLERS and data.get("proposed", "Looped") != "Looped":
                self._verdicts.end_rounds(number)
                return
            self._preparation.loop_results[number] = outcome.value
        self._record.add(outcome.ended_us, Kind.TASK, node, index, outcome.attempt, loop, new, data or None)
        if self.raise_errors and new is S.FAILED and self.error_to_raise is None:
            error = self.ledger.value(number)
            if isinstance(error, BaseException) and not isinstance(error, signals.Signal):
                self.error_to_raise = error
                self._stop(S.FAILED, "raise_on_exception is on.")

    def _show_started(self) -> None:
        """Record as running what the executor has had the time to begin, before we sleep."""
        for number, begun_us in self._handed_out.likely_begun(self.executor.workers):
            if self.run.state[number] is _QUEUED:
                self._show(number, self.clock.now_us() if begun_us is None else begun_us)
        self._record.hand_over()

    def _show(self, number: int, at_us: int) -> None:
        run = self.run
        node, index = (number, UNMAPPED) if number < self._size else run.place_of(number)
        loop = run.loops.get(number, 0) + 1 if run.loops else 1
        self._record.add_of_task(at_us, node, index, run.attempt[number] + 1, loop, _RUNNING)

    def _log_gave_up(self) -> None:
        self._stop(S.CRASHED, LOG_GAVE_UP)

    # -- stopping ------------------------------------------------------------------------------------------------------

    def _stop(self, state: S, reason: str) -> None:
        """Begin to end: nothing new starts, what runs is stopped."""
        self._retries.close()
        if not self.run.stopping and not IS_FINAL[self.run.run_state]:
            self._record.add_of_run(self.clock.now_us(), S.RUNNING, {"stopping": int(state), "message": reason})
            self._reason = reason
            self._record.hand_over()  # so that others see that it is stopping, while tasks are still being stopped
            tell_stopping(self.facts.run_id, reason)
        self._take_all()
        self._show_started()
        if self._lane is not None:
            self._lane.begin_stop(cancel_running=True)  # it and the executor take their time together
        still_running = list(self.executor.stop(cancel_running=True))
        self._here.clear()
        if self._lane is not None:
            still_running += self._lane.stop(cancel_running=True)
            self._lane = None
        self._take_all()
        self._settle_all(reason)
        self._name_still_running(still_running)

    def _settle_all(self, reason: str) -> None:
        """Give whatever has begun, and will not go on, its end."""
        if self.run.is_over or not any(self.run.counts[state] for state in (_QUEUED, *_BEGUN)):
            return
        for number, now in enumerate(self.run.state):
            if now in _BEGUN:
                self._verdicts.settle(number, S.CANCELLED, reason or self._reason, None, None)
            elif now is S.QUEUED:
                self._verdicts.settle(number, S.NOT_RUN, reason or self._reason, None, None)

    def _name_still_running(self, tasks: Sequence[str]) -> None:
        if tasks:
            message = (
                f"These tasks cannot be stopped and go on in their threads: {', '.join(tasks)}. "
                "Their results will be dropped."
            )
            self._warn(message)

    @staticmethod
    def _warn(message: str) -> None:
        try:
            warn_caller(message)
        except Warning:  # the user has made errors of warnings; nobody is there to take this one
            logging.getLogger(__name__).warning(message)

    def _take_all(self) -> None:
        """Take all that has arrived, but not the word of an executor that has dropped what it had not begun."""
        outcome = self._inbox.take()
        while outcome is not None:
            if outcome.state is not S.CANCELLED or self.run.state[outcome.ref] is _RUNNING:
                self._take(outcome)
            outcome = self._inbox.take()

    def hear(self, lines: Sequence[LogLine]) -> None:
        """What tasks of this run log goes to its log, what they attach becomes events. Any thread may call it."""
        attached = [line for line in lines if is_attachment(line)]
        if attached:
            self._inbox.attach(attached)
            lines = [line for line in lines if not is_attachment(line)]
        if lines:
            self.log.add_log_lines(lines)

    def _take_attached(self) -> None:
        """Record what has been attached by now; of a run that is over nothing more is recorded."""
        attached = self._attached
        while attached and not self.run.is_over:
            self._attachments.take(attached.popleft())

    def _end(self, command: End) -> None:
        self._take_attached()
        if command.state is not S.PAUSED:
            self._settle_all("The run has ended.")
        message = command.reason or self._reason
        proposed = api.class_of(command.state)(message=message)
        settled, event_state = api.ending_of(self._judged(proposed))
        data: dict[str, Any] = {"message": settled.message or message}
        if settled is not proposed:
            data["proposed"] = type(proposed).__name__
        if IS_FINAL[event_state]:
            data["counts"] = {str(int(state)): count for state, count in tally(self.run, event_state).items()}
        self.final_state = settled
        self._record.add_of_run(self.clock.now_us(), event_state, data)

    def _judged(self, proposed: api.State) -> api.State:
        """The final state after the flow's own handlers have seen it; they are asked once."""
        flow = self.flow
        if self._flow_was_asked or not (flow.state_handlers or flow.terminal_state_handler):
            return proposed
        self._flow_was_asked = True
        references = {self.ledger.state(node) for node in self.run.plan.references}
        with context(self.facts.context), self._interrupts.user_code():
            return judged_by_flow(flow, proposed, references)

    def _wound_up(self, problem: BaseException | None) -> BaseException | None:
        """Whatever has happened: what runs is stopped, the end is recorded, the log is closed.

        Returns:
            What is to be raised, if anything.
        """
        try:
            if isinstance(problem, StoreError):
                self._record.error = self._record.error or problem
                problem = None
                self._stop(S.CRASHED, LOG_GAVE_UP)
            elif isinstance(problem, KeyboardInterrupt):
                # a command line turns the wish of another process into an interrupt, where a task holds the thread
                reason = self._interrupts.cancel_reason
                self._stop(S.CANCELLED, reason or self._asked_to_cancel() or str(problem) or INTERRUPTED)
                if reason and not self._interrupts.asked:
                    problem = None  # it was raised to end the task that held the thread, and has done so
            elif isinstance(problem, TaskTimeout):
                self._stop(S.CANCELLED, "The task that ran this flow took longer than its timeout.")
            elif problem is not None:
                self._stop(S.CRASHED, f"The engine itself failed: {short(problem)}")
            if self.run.stopping:
                self._settle_all("")  # if stopping was interrupted itself
            if not self.run.is_over:
                self._end(End(self.run.stopping or S.CRASHED, ""))
        except BaseException as error:  # also Ctrl-C in a handler of the flow
            problem = problem or error
            if not self.run.is_over:
                self._end(End(self.run.stopping or S.CANCELLED, self._reason or INTERRUPTED))
        finally:
            self._close(is_interrupted=isinstance(problem, KeyboardInterrupt) or self._interrupts.asked)
        return problem

    def _close(self, *, is_interrupted: bool) -> None:
        try:
            if self._lane is not None:
                self._lane.stop(cancel_running=True)
            self._name_still_running(self.executor.stop(cancel_running=False))
        except Exception:  # an executor of the user's own, say; the end is recorded all the same
            logging.getLogger(__name__).exception("The executor %s did not stop well.", self.executor.name)
        self._record.hand_over()
        if self._reuse is not None:
            self._reuse.close()
        try:
            self.log.close(PATIENCE_S if is_interrupted else None)
        except StoreError as error:
            self._record.error = self._record.error or error
