"""A bench on which any executor can be tried without an engine."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic

import pytest

from notebook_flows.core.task import FunctionTask
from notebook_flows.engine.call import Call, Outcome, RunFacts, unwrapped
from notebook_flows.engine.coroutines import CoroutineLane
from notebook_flows.executors import LocalExecutor, ProcessExecutor, ThreadExecutor

FACTS = RunFacts(run_id="0" * 32, flow_name="tried", context={"flow_name": "tried"})
PATIENCE_S = 30


class Inbox:
    """Keeps what arrives, and lets a test wait for it."""

    def __init__(self) -> None:
        self.arrived: deque[Outcome] = deque()
        self._changed = threading.Condition()

    def put(self, outcome):
        with self._changed:
            self.arrived.append(outcome)
            self._changed.notify()

    def put_many(self, outcomes):
        with self._changed:
            self.arrived.extend(outcomes)
            self._changed.notify()

    def wake(self):
        pass

    def wait_for(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= count, PATIENCE_S), (
                f"{len(self.arrived)} of {count} outcomes came"
            )


class Lane(CoroutineLane):
    """The lane behind the methods of an executor, for the promises that both give."""

    name, workers, is_remote, takes_segments = "async", 8, False, False

    def __init__(self):
        pass

    def start(self, inbox, facts):
        super().__init__(inbox, facts)

    def work(self):
        return False


class Bench:
    """An executor that has been started, and what it has told."""

    def __init__(self, executor) -> None:
        self.executor = executor
        self.inbox = Inbox()
        self.calls = 0
        executor.start(self.inbox, FACTS)

    def call(
        self, function, *, name=None, then=None, passes_to=None, timeout=None, retries=0, handlers=None, **arguments
    ):
        """A call of a function; the options are the task's."""
        given = {"max_retries": retries, "retry_delay": 1} if retries else {}
        task = FunctionTask(function, name=name, timeout=timeout, state_handlers=handlers, **given)
        self.calls += 1
        return Call(
            ref=self.calls,
            task_key=self.calls,
            task=task,
            arguments=arguments,
            facts=FACTS,
            is_plain=not (timeout or handlers or task._signature.is_async),
            timeout_s=timeout,
            is_async=task._signature.is_async,
            then=then,
            passes_to=passes_to,
        )

    def submit(self, function, **options):
        """Submit a call of a function; its number."""
        call = self.call(function, **options)
        self.executor.submit(call)
        return call.ref

    def outcomes(self, count):
        """The next outcomes, {number: outcome}, values loaded; fails if one number comes twice."""
        while self.executor.work():
            pass
        self.inbox.wait_for(count)
        taken = [self.inbox.arrived.popleft() for _ in range(count)]
        found = {outcome.ref: outcome._replace(value=unwrapped(outcome.value)) for outcome in taken}
        assert len(found) == count
        return found

    def outcome(self):
        """The next outcome."""
        return next(iter(self.outcomes(1).values()))

    def stop(self, *, cancel_running=True):
        """Stop, within 2 s."""
        begun = monotonic()
        still_running = self.executor.stop(cancel_running=cancel_running)
        assert monotonic() - begun < 2
        return still_running


@pytest.fixture
def bench_of():
    """Makes benches, and clears them away."""
    made = []

    def make(executor):
        bench = Bench(executor)
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.stop()


@pytest.fixture(params=["local", "threads", "processes"])
def bench(request, bench_of):
    """A bench with each executor in turn."""
    kinds = {"local": LocalExecutor, "threads": lambda: ThreadExecutor(4), "processes": lambda: ProcessExecutor(2)}
    return bench_of(kinds[request.param]())


@pytest.fixture(params=["threads", "processes"])
def busy_bench(request, bench_of):
    """A bench with each executor that works beside the engine."""
    return bench_of({"threads": lambda: ThreadExecutor(2), "processes": lambda: ProcessExecutor(2)}[request.param]())


@pytest.fixture
def processes(bench_of):
    """A bench with two worker processes."""
    return bench_of(ProcessExecutor(2))


@pytest.fixture
def lane(bench_of):
    """A bench with the lane of async tasks."""
    return bench_of(Lane())
