"""Where the cells of one run are made: threads, processes, and the kernel's main thread, as each of them needs."""

from __future__ import annotations

import threading
from asyncio import CancelledError
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from enum import StrEnum
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, cast

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform, perform_async
from notebook_flows.engine.endings import failed_outcome
from notebook_flows.engine.open_calls import OpenCalls, ended_without, raised_by, stopped
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.errors import ShellCommandFailed
from notebook_flows.executors import ProcessExecutor, ThreadExecutor
from notebook_flows.session.apart import was_cancelled
from notebook_flows.session.nobodys import nobodys_text_logged
from notebook_flows.session.toldfirst import ToldFirst
from notebook_flows.session.turns import RunIsOver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Call, Outcome, RunFacts
    from notebook_flows.engine.ports import Inbox
    from notebook_flows.session.celltask import KernelCellTask
    from notebook_flows.session.mainlane import MainLane
    from notebook_flows.session.turns import Turns


class Lane(StrEnum):
    """Where a cell is made."""

    THREADS = "threads"
    PROCESSES = "processes"
    MAIN = "main"  # the main thread: magics, cells that run alone
    LOOP = "loop"  # the main thread's event loop: cells that await


LOOP_IS_TAKEN = "It awaits, and the kernel's event loop is not free: put `%flow run` on a line of its own in a cell."
LATE_S = 0.1
"""How long the loop may take to end a cell whose time is up, before the step that holds it up is interrupted."""
ENDING_S, LOOK_S = 0.5, 0.02
"""How long a thread may take whose command was ended, and how often it is looked at."""
RAISED_IN_A_THREAD = raised_by(KeyboardInterrupt())
"""What a thread's outcome says then: it means the same wherever a cell runs."""
CANCELLED = "Cancelled."
MAIN_IS_CLOSED = "The kernel's main thread takes nothing more."


class LanesExecutor:
    """Gives each call, of a `KernelCellTask`, to the lane of its task.

    A task that ``is_alone`` borrows the notebook's own namespace: no other cell runs meanwhile.

    Args:
        main: the main thread's lane.
        turns: who runs now.
        threads: how many cells may run in threads at once; as `ThreadExecutor` chooses unless given.
        processes: how many worker processes there may be.
        on_end: called with each attempt's task and outcome before the engine hears of it, in any thread; gives the
            outcome that the engine is to hear of.

    Attributes:
        still_running: names of tasks whose threads could not be stopped at the end.
    """

    works_here = False
    is_remote = False
    takes_segments = False

    def __init__(
        self,
        main: MainLane,
        turns: Turns,
        *,
        threads: int | None = None,
        processes: int | None = None,
        on_end: Callable[[Task, Outcome], Outcome] = lambda _task, outcome: outcome,
    ) -> None:
        self._main = main
        self._turns = turns
        self.still_running: tuple[str, ...] = ()
        self._lanes: dict[Lane, ThreadExecutor | ProcessExecutor] = {
            Lane.THREADS: ThreadExecutor(threads).for_run(),
            Lane.PROCESSES: ProcessExecutor(processes).for_run(),
        }
        self._on_end = on_end
        self._started: set[Lane] = set()
        self._open = OpenCalls()
        self._handing = threading.Lock()
        self._ending: set[str] = set()
        self._inbox: ToldFirst | None = None
        self._facts: RunFacts | None = None
        self._was_interrupted = False
        self._while_it_runs = ExitStack()
        self.workers = self._lanes[Lane.THREADS].workers
        self.name = f"cells({self._lanes[Lane.THREADS].name}, {self._lanes[Lane.PROCESSES].name})"

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._inbox, self._facts = ToldFirst(inbox, self._has_ended), facts
        self._context = copy_context()
        self._while_it_runs.enter_context(nobodys_text_logged(facts.run_id))
        if self._was_interrupted:
            inbox.interrupt()

    def _has_ended(self, task: Task, outcome: Outcome) -> Outcome:
        if outcome.state is S.CANCELLED and outcome.message == RAISED_IN_A_THREAD:
            self._main.ask_to_stop()
            self.interrupt()
        if isinstance(outcome.value, ShellCommandFailed) and outcome.value.was_stopped:
            outcome = outcome._replace(state=S.CANCELLED, value=None, message=CANCELLED)  # before it was given up
        return self._on_end(task, outcome)

    def interrupt(self) -> None:
        """Stop the run, as Ctrl-C does; from any thread."""
        self._was_interrupted = True
        if self._inbox is not None:
            self._inbox.interrupt()

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        assert self._inbox is not None, "start it first"
        assert self._facts is not None
        self._inbox.tasks[call.ref] = call.task
        lane = cast("KernelCellTask", call.task).lane
        if lane is Lane.THREADS or (lane is Lane.PROCESSES and self._turns.begins_at_once(_key_of(call))):
            self._hand_over(call, lane)
        else:
            self._submit_in_turn(call, lane)

    def _hand_over(self, call: Call, lane: Lane) -> None:
        executor = self._lanes[lane]
        if lane not in self._started:
            assert self._inbox is not None
            assert self._facts is not None
            self._started.add(lane)
            executor.start(self._inbox, self._facts)
        executor.submit(call)

    def _submit_in_turn(self, call: Call, lane: Lane) -> None:
        """Neither the engine nor the main thread may wait for a turn, nor who hears the processes: a thread does."""
        self._open.add(call)
        name = f"notebook-flows turn of {call.task.name}"
        threading.Thread(target=self._take_turn, args=(call, lane), name=name, daemon=True).start()

    def _take_turn(self, call: Call, lane: Lane) -> None:
        try:
            if cast("KernelCellTask", call.task).is_alone:
                with self._turns.hold(_key_of(call)):
                    self._turns.wait_for(self._post(call, lane))
            else:
                self._turns.begin(_key_of(call))
                if lane is Lane.PROCESSES:
                    is_wanted = self._hand_over_if_wanted(call, lane)
                else:
                    is_wanted = self._is_open(call)
                    if is_wanted:
                        self._post(call, lane)
                if not is_wanted:  # given up while it waited
                    self._turns.end(_key_of(call))
        except RunIsOver as error:
            self._report(call, ended_without(call, S.CANCELLED, str(error)))

    def _hand_over_if_wanted(self, call: Call, lane: Lane) -> bool:
        with self._handing:  # whoever cancels it, or stops the run, finds it here or there
            if self._open.pop((call.ref, call.attempt), None) is None:
                return False
            self._hand_over(call, lane)
            return True

    def _post(self, call: Call, lane: Lane) -> threading.Event:
        """Have the main thread make it; set when it has ended."""
        ended = threading.Event()
        if lane is Lane.LOOP:
            why = LOOP_IS_TAKEN
            is_taken = self._main.post_coroutine(lambda: self._follow(call, ended), who=_key_of(call))
        else:
            why = MAIN_IS_CLOSED
            is_taken = self._main.post(lambda: self._make(call, ended), who=_key_of(call))
        if not is_taken:
            self._report(call, ended_without(call, S.FAILED, why, RuntimeError(why)))
            ended.set()
        return ended

    def _is_open(self, call: Call) -> bool:
        return (call.ref, call.attempt) in self._open

    def work(self) -> bool:
        """Nothing runs in the engine's thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED."""
        with self._handing:
            call = self._open.pop((ref, attempt), None)
        if call is None:
            if self._inbox is not None and ref in self._inbox.tasks:
                self.end_commands(self._inbox.tasks[ref])
            return any(self._lanes[lane].cancel(ref, attempt) for lane in self._started)
        self._main.interrupt(_key_of(call))
        assert self._inbox is not None
        self._inbox.put(ended_without(call, S.CANCELLED, CANCELLED))
        return True

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within 2 s. Tasks whose code still runs are in `still_running`, for the notebook to tell."""
        if cancel_running and self._inbox is not None:
            for task in self._inbox.tasks.values():
                self.end_commands(task)
        if cancel_running and self._open and self._inbox is not None:
            self._main.interrupt()
            with self._handing:
                given_up = stopped(self._open)
            self._inbox.put_many(given_up)
        self.still_running = tuple(self._stop_lanes(cancel_running=cancel_running))
        until_s = monotonic() + ENDING_S
        while self._ending & set(self.still_running) and monotonic() < until_s:
            sleep(LOOK_S)
            self.still_running = tuple(self._stop_lanes(cancel_running=cancel_running))
        self._while_it_runs.close()
        return ()

    def _stop_lanes(self, *, cancel_running: bool) -> list[str]:
        still_running: list[str] = []
        stopping = [
            threading.Thread(
                target=lambda one=self._lanes[lane]: still_running.extend(one.stop(cancel_running=cancel_running))
            )
            for lane in sorted(self._started)
        ]
        for one in stopping:  # side by side: each may take its time
            one.start()
        for one in stopping:
            one.join()
        return still_running

    def end_commands(self, task: Task) -> None:
        """End what a cell's present attempt waits for outside of Python, so that its thread can end; does not wait."""
        cell = cast("KernelCellTask", task)
        cell.give_up()
        mini = cell.mini_shell
        if cell.has_main_thread or (mini is not None and mini.runs_commands):
            self._ending.add(task.name)
        if mini is None:
            return
        threading.Thread(target=mini.stop, name=f"notebook-flows stop of {task.name}", daemon=True).start()

    # -- on the main thread --------------------------------------------------------------------------------------------

    def _make(self, call: Call, ended: threading.Event) -> None:
        try:
            if not self._is_open(call):
                return  # given up while it waited
            try:
                outcome = self._context.copy().run(perform, call)
            except BaseException as error:
                outcome = self._interrupted(call, error)
            self._report(call, outcome)
        finally:
            ended.set()

    async def _follow(self, call: Call, ended: threading.Event) -> None:
        began_us, key = time_ns() // 1000, _key_of(call)
        with _interrupted_when_late(self._main, call) as late:
            try:
                outcome = await perform_async(call)
            except BaseException as error:
                was_hit = self._main.has_interrupted(key)
                self._main.forget_interrupted(key)
                is_its_own = isinstance(error, CancelledError) and not was_cancelled()  # it awaits a cancelled task
                if was_hit and late.is_set() and not self._main.is_asked_to_stop:
                    outcome = failed_outcome(call, TaskTimeout(), began_us)
                elif is_its_own and not was_hit:
                    outcome = failed_outcome(call, error, began_us)
                else:
                    outcome = self._interrupted(call, error)
        try:
            self._report(call, outcome)
        finally:
            ended.set()

    def _interrupted(self, call: Call, error: BaseException) -> Outcome:
        """The outcome of a cell that was interrupted; KeyboardInterrupt ends the run with it, whoever has raised it."""
        if isinstance(error, KeyboardInterrupt) and self._is_open(call):  # else this one alone was given up
            self._main.ask_to_stop()
        if self._main.is_asked_to_stop:
            self.interrupt()
        return ended_without(call, S.CANCELLED, f"Interrupted ({type(error).__name__}).")

    def _report(self, call: Call, outcome: Outcome) -> None:
        if self._open.pop((call.ref, call.attempt), None) is not None:
            assert self._inbox is not None
            self._inbox.put(outcome)


@contextmanager
def _interrupted_when_late(main: MainLane, call: Call) -> Iterator[threading.Event]:
    """Inside, a step that holds up the loop is interrupted when the time of its call is up; gives what is set then."""
    late, done, key = threading.Event(), threading.Event(), _key_of(call)
    if not call.timeout_s:
        yield late
        return
    limit_s = call.timeout_s

    def watch() -> None:
        rest_s = limit_s + LATE_S
        while not done.wait(rest_s) and not main.has_interrupted(key):
            late.set()
            main.interrupt_late(key)
            rest_s = LATE_S  # not yet: another cell holds up the loop

    threading.Thread(target=watch, name=f"notebook-flows limit of {call.task.name}", daemon=True).start()
    try:
        yield late
    finally:
        done.set()


def _key_of(call: Call) -> str:
    return cast("KernelCellTask", call.task).key
