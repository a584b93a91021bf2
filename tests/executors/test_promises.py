"""What every executor promises."""

from __future__ import annotations

import os
import threading
import traceback
from collections import Counter
from pathlib import Path

import pytest

from notebook_flows.core.context import context
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Pickled
from notebook_flows.executors import LocalExecutor, ProcessExecutor, ThreadExecutor
from notebook_flows.testing import InlineExecutor


def double(x):
    return 2 * x


def raise_from_deep_down():
    def deepest():
        raise LookupError("no such row", 42)

    deepest()


class TwoArguments(Exception):
    def __init__(self, where, what):
        super().__init__(f"{what} in {where}")
        self.where = where


def wait_for_file(path):
    import time

    while not Path(path).exists():
        time.sleep(0.005)
    return "seen"


def fifo_in(folder, name="gate"):
    path = folder / name
    os.mkfifo(path)
    return str(path)


def enter(gate):
    """Tell the test that we are inside, and stay until it lets us go, which may be never."""
    with Path(gate).open("w") as door:
        door.write("inside")
    with Path(gate).open() as door:
        return door.read()


def wait_until_inside(gate):
    with Path(gate).open() as door:
        assert door.read() == "inside"


def let_go(gate):
    with Path(gate).open("w") as door:
        door.write("go")


def test_ten_thousand_calls_have_one_outcome_each(bench):
    numbers = [bench.submit(double, x=x) for x in range(10_000)]

    outcomes = bench.outcomes(10_000)

    assert {number: outcome.value for number, outcome in outcomes.items()} == dict(
        zip(numbers, range(0, 20_000, 2), strict=True)
    )
    assert {outcome.state for outcome in outcomes.values()} == {S.SUCCESS}


def test_outcomes_say_when_the_attempt_began_and_ended(bench):
    bench.submit(double, x=1)

    outcome = bench.outcome()

    assert 0 < outcome.started_us <= outcome.ended_us


def test_values_may_be_bigger_than_any_pipe(bench):
    big = os.urandom(5_000_000)
    bench.submit(lambda x: x[::-1], x=big)

    assert bench.outcome().value == big[::-1]


def test_values_that_are_still_pickled_are_read_where_they_are_needed(bench):
    import pickle

    call = bench.call(
        lambda x, some: (x, some), x=Pickled(pickle.dumps("one")), some=[Pickled(pickle.dumps(n)) for n in "ab"]
    )
    call.gathered = ("some",)

    bench.executor.submit(call)

    assert bench.outcome().value == ("one", ["a", "b"])


def test_an_exception_keeps_its_type_arguments_and_traceback(bench):
    bench.submit(raise_from_deep_down)

    outcome = bench.outcome()

    assert outcome.state is S.FAILED
    assert type(outcome.value) is LookupError
    assert outcome.value.args == ("no such row", 42)
    assert "in deepest" in "".join(traceback.format_exception(outcome.value))


def test_an_exception_that_wants_two_arguments_harms_nothing(bench):
    def fail():
        raise TwoArguments("cellar", "light")

    bench.submit(fail)
    outcome = bench.outcome()

    assert type(outcome.value) is TwoArguments
    assert (str(outcome.value), outcome.value.where) == ("light in cellar", "cellar")


def test_a_bad_task_harms_only_itself(bench):
    def bad():
        raise SystemExit(3)

    wrong = bench.submit(bad)
    right = [bench.submit(double, x=x) for x in range(20)]

    outcomes = bench.outcomes(21)

    assert outcomes[wrong].state is S.FAILED
    assert [outcomes[number].value for number in right] == list(range(0, 40, 2))


def test_a_segment_hands_its_value_on_and_reports_every_link(bench):
    last = bench.call(double)
    middle = bench.call(double, then=last, passes_to="x")
    first = bench.call(double, x=1, then=middle, passes_to="x")

    bench.executor.submit(first)
    outcomes = bench.outcomes(3)

    assert [outcomes[link.ref].value for link in (first, middle, last)] == [2, 4, 8]


def test_a_segment_ends_with_its_first_failure_and_no_word_of_the_rest(bench):
    rest = bench.call(double)
    first = bench.call(raise_from_deep_down, then=rest, passes_to="x")

    bench.executor.submit(first)
    outcome = bench.outcome()
    bench.submit(double, x=1)

    assert (outcome.ref, outcome.state) == (first.ref, S.FAILED)
    assert bench.outcome().value == 2


def test_the_rest_of_a_failed_segment_may_be_sent_anew(bench):
    rest = bench.call(double)
    first = bench.call(raise_from_deep_down, then=rest, passes_to="x")
    bench.executor.submit(first)
    bench.outcome()
    again = bench.call(double, x=1, then=rest, passes_to="x")

    bench.executor.submit(again)

    assert bench.outcomes(2)[rest.ref].value == 4


def test_a_call_that_is_cancelled_while_it_waits_never_runs(bench, tmp_path):
    gates = [fifo_in(tmp_path, f"gate{n}") for n in range(bench.executor.workers)]
    if bench.executor.name != "local":
        for gate in gates:
            bench.submit(enter, gate=gate)
        for gate in gates:
            wait_until_inside(gate)
    trace = tmp_path / "trace"
    waiting = bench.submit(lambda path: Path(path).touch(), path=str(trace))

    can_be = bench.executor.cancel(waiting, 1)
    outcome = bench.outcome()

    if bench.executor.name != "local":
        for gate in gates:
            let_go(gate)
        bench.outcomes(len(gates))
    bench.submit(double, x=1)
    assert bench.outcome().value == 2
    assert can_be
    assert (outcome.ref, outcome.state) == (waiting, S.CANCELLED)
    assert not trace.exists()


def test_what_has_ended_cannot_be_cancelled(bench):
    number = bench.submit(double, x=1)
    bench.outcome()

    assert not bench.executor.cancel(number, 1)


def test_a_segment_looks_for_a_cancel_between_its_links(busy_bench, tmp_path):
    bench, gate, trace = busy_bench, fifo_in(tmp_path), tmp_path / "trace"
    last = bench.call(lambda path: Path(path).touch(), path=str(trace))
    first = bench.call(enter, gate=gate, then=last)
    bench.executor.submit(first)
    wait_until_inside(gate)

    can_be = bench.executor.cancel(last.ref, 1)
    let_go(gate)

    outcomes = bench.outcomes(2)
    bench.submit(double, x=1)
    assert bench.outcome().value == 2
    assert can_be
    assert (outcomes[first.ref].state, outcomes[last.ref].state) == (S.SUCCESS, S.CANCELLED)
    assert not trace.exists()


def test_a_running_call_that_is_cancelled_is_told_so_at_once_and_gives_its_place_free(busy_bench, tmp_path):
    bench, gates = busy_bench, [fifo_in(tmp_path, f"gate{n}") for n in range(2)]
    stuck = [bench.submit(enter, gate=gate) for gate in gates]
    for gate in gates:
        wait_until_inside(gate)

    answers = [bench.executor.cancel(number, 1) for number in stuck]

    outcomes = bench.outcomes(2)
    bench.submit(double, x=1)
    assert bench.outcome().value == 2
    assert all(answers)
    assert Counter(outcome.state for outcome in outcomes.values()) == {S.CANCELLED: 2}


def test_a_task_that_passes_its_timeout_is_told_so_and_gives_its_place_free(busy_bench, tmp_path):
    bench, gates = busy_bench, [fifo_in(tmp_path, f"gate{n}") for n in range(2)]
    for gate in gates:
        bench.submit(enter, gate=gate, timeout=0.05)

    outcomes = bench.outcomes(2)
    bench.submit(double, x=1)

    assert bench.outcome().value == 2
    assert {outcome.state for outcome in outcomes.values()} == {S.TIMED_OUT}
    assert all(isinstance(outcome.value, TimeoutError) for outcome in outcomes.values())


def test_a_task_that_passes_its_timeout_is_tried_again_if_it_has_a_retry(busy_bench, tmp_path):
    busy_bench.submit(enter, gate=fifo_in(tmp_path), timeout=0.05, retries=1)

    outcome = busy_bench.outcome()

    assert outcome.state is S.RETRYING
    assert outcome.details["due_us"] > outcome.ended_us


def test_a_timeout_that_is_kept_changes_nothing(bench):
    bench.submit(double, x=1, timeout=20)

    assert bench.outcome().value == 2


def test_stop_takes_less_than_two_seconds_whatever_the_tasks_do(busy_bench, tmp_path):
    bench, gates = busy_bench, [fifo_in(tmp_path, f"gate{n}") for n in range(2)]
    running = [bench.submit(enter, gate=gate, name=f"stuck {gate[-1]}") for gate in gates]
    for gate in gates:
        wait_until_inside(gate)
    waiting = [bench.submit(double, x=x) for x in range(5)]

    still_running = bench.stop(cancel_running=True)

    outcomes = bench.outcomes(7)
    assert outcomes.keys() == {*running, *waiting}
    assert {outcome.state for outcome in outcomes.values()} == {S.CANCELLED}
    assert sorted(still_running) == ([] if bench.executor.is_remote else ["stuck 0", "stuck 1"])


def test_stopping_twice_is_harmless(bench):
    bench.submit(double, x=1)
    bench.outcome()

    bench.stop(cancel_running=True)
    bench.stop(cancel_running=False)

    assert not bench.inbox.arrived


def test_an_executor_can_be_started_again(bench):
    bench.stop(cancel_running=False)
    bench.executor.start(bench.inbox, bench.call(double).facts)

    bench.submit(double, x=4)

    assert bench.outcome().value == 8


def test_a_keyboard_interrupt_ends_its_own_task_only(busy_bench):
    def interrupt():
        raise KeyboardInterrupt

    hit = busy_bench.submit(interrupt)
    other = busy_bench.submit(double, x=1)

    outcomes = busy_bench.outcomes(2)

    assert (outcomes[hit].state, outcomes[other].value) == (S.CANCELLED, 2)


def test_a_keyboard_interrupt_in_the_engines_own_thread_is_raised_and_reported(bench_of):
    def interrupt():
        raise KeyboardInterrupt

    bench = bench_of(LocalExecutor())
    bench.submit(interrupt)

    with pytest.raises(KeyboardInterrupt):
        bench.executor.work()

    assert bench.outcome().state is S.CANCELLED


def test_threads_see_the_context_variables_of_the_thread_that_started_them(bench_of):
    from contextvars import ContextVar

    colour = ContextVar("colour", default="grey")

    def look_and_repaint():
        seen = colour.get()
        colour.set("red")
        return seen

    colour.set("blue")
    bench = bench_of(ThreadExecutor(1))
    bench.submit(look_and_repaint)
    bench.submit(look_and_repaint)

    outcomes = bench.outcomes(2)

    assert [outcome.value for outcome in outcomes.values()] == ["blue", "blue"]


def test_threads_begin_only_when_they_are_needed(bench_of):
    bench = bench_of(ThreadExecutor(64))
    before = threading.active_count()

    for x in range(50):
        bench.submit(double, x=x)
        bench.outcome()

    assert threading.active_count() - before <= 2


def test_the_late_outcome_of_a_lost_thread_is_dropped(bench_of, tmp_path):
    bench, gate = bench_of(ThreadExecutor(1)), fifo_in(tmp_path)
    bench.submit(enter, gate=gate, timeout=0.02)
    wait_until_inside(gate)
    bench.outcome()

    let_go(gate)
    numbers = [bench.submit(double, x=x) for x in range(100)]

    assert bench.outcomes(100).keys() == set(numbers)


EACH_KIND = pytest.mark.parametrize(
    "make",
    [LocalExecutor, lambda: ThreadExecutor(2), lambda: ProcessExecutor(2), InlineExecutor],
    ids=["local", "threads", "processes", "inline"],
)


@EACH_KIND
def test_one_executor_object_serves_two_runs_at_once(make, bench_of):
    chosen = make()
    one, other = bench_of(chosen.for_run()), bench_of(chosen.for_run())
    one.submit(double, x=1)
    other.submit(double, x=10)

    answers = other.outcome().value, one.outcome().value

    one.stop()
    other.submit(double, x=100)
    assert answers == (20, 2)
    assert other.outcome().value == 200


@EACH_KIND
def test_the_executor_of_a_run_has_the_name_and_the_size_of_the_one_it_is_made_of(make):
    chosen = make()

    own = chosen.for_run()

    assert own is not chosen
    assert (type(own), own.name, own.workers) == (type(chosen), chosen.name, chosen.workers)


@EACH_KIND
def test_an_executor_that_never_started_has_nothing_to_stop(make):
    assert make().stop(cancel_running=True) == ()


def test_an_executor_that_failed_to_start_has_nothing_to_stop_and_keeps_no_file_open(monkeypatch):
    def no_more(*_):
        raise OSError(24, "Too many open files")

    executor, opened = ProcessExecutor(1), []
    pipe2 = os.pipe2
    monkeypatch.setattr(os, "pipe2", lambda flags: opened.extend(pipe2(flags)) or opened)
    monkeypatch.setattr("notebook_flows.executors.supervisor.DefaultSelector", no_more)

    with pytest.raises(OSError, match="Too many open files"):
        executor.start(None, None)

    assert executor.stop(cancel_running=True) == ()
    for fd in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def in_another_thread(function):
    """What a function returns in a thread that is not the main one."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join(20)
    return found[0]


def test_a_timeout_holds_in_a_thread_that_is_not_the_main_one(bench_of, tmp_path):
    bench, gate = bench_of(LocalExecutor()), fifo_in(tmp_path)
    late = bench.submit(enter, gate=gate, name="late", timeout=0.02)
    right = bench.submit(double, x=1, timeout=20)

    outcomes = in_another_thread(lambda: bench.outcomes(2))

    named = bench.stop()
    wait_until_inside(gate)
    let_go(gate)
    assert (outcomes[late].state, outcomes[right].value) == (S.TIMED_OUT, 2)
    assert named == ["late"]
    assert not bench.inbox.arrived


def test_a_call_with_a_timeout_sees_the_context_variables_of_a_thread_that_is_not_the_main_one(bench_of):
    from contextvars import ContextVar

    colour = ContextVar("colour", default="grey")
    bench = bench_of(LocalExecutor())
    bench.submit(lambda: colour.get(), timeout=20)

    def work():
        colour.set("blue")
        return bench.outcome().value

    assert in_another_thread(work) == "blue"


def test_a_thread_whose_task_ends_as_its_timeout_is_told_keeps_the_timeout_of_its_next_task(bench_of, tmp_path):
    bench, gates = bench_of(ThreadExecutor(1)), [fifo_in(tmp_path, f"gate{n}") for n in range(2)]
    crew = bench.executor._crew
    replace = crew._replace

    def held_up(worker):  # as if the watch were switched out here, until the task has ended
        crew._replace = replace
        let_go(gates[0])
        worker.join(0.3)
        replace(worker)

    crew._replace = held_up
    first = bench.submit(enter, gate=gates[0], timeout=0.05)
    wait_until_inside(gates[0])
    second = bench.submit(enter, gate=gates[1], timeout=0.05)

    outcomes = bench.outcomes(2)

    assert {outcomes[number].state for number in (first, second)} == {S.TIMED_OUT}


def test_threads_that_timeouts_have_left_behind_are_named_at_the_end_of_a_run(bench_of, tmp_path):
    bench, gate = bench_of(ThreadExecutor(1)), fifo_in(tmp_path)
    bench.submit(enter, gate=gate, name="hog", timeout=0.02)
    wait_until_inside(gate)
    bench.outcome()

    named = bench.stop(cancel_running=False)

    let_go(gate)
    assert named == ["hog"]


@pytest.mark.parametrize("make", [lambda: ThreadExecutor(1), lambda: ProcessExecutor(1)], ids=["threads", "processes"])
def test_tasks_see_the_keys_of_the_blocks_around_the_run_that_can_travel(make, bench_of):
    with context(colour="blue", lock=threading.Lock()):
        bench = bench_of(make())
    bench.submit(lambda: context.get("colour"))
    bench.submit(lambda: context.get("colour"))

    outcomes = bench.outcomes(2)

    assert [outcome.value for outcome in outcomes.values()] == ["blue", "blue"]
