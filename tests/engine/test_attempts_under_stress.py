"""Attempts whose code, handlers, errors, alarms and surroundings do what nobody would wish for."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, LocalResult, cache_validators, context, signals, task
from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import S
from notebook_flows.core.task import FunctionTask
from notebook_flows.engine import logs
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.cache import RECENT
from notebook_flows.engine.call import Call, RunFacts
from notebook_flows.engine.endings import retry_details
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.engine.wording import LONGEST_MESSAGE, LONGEST_TRACEBACK, bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import LogLine, Outcome

HOUR = timedelta(hours=1)
FACTS = RunFacts(run_id="1", flow_name="f", context={"flow_name": "f"})


@pytest.fixture(autouse=True)
def no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("NOTEBOOK_FLOWS_RESULTS", str(tmp_path / "results"))
    RECENT.clear()


@pytest.fixture
def own_alarm() -> Iterator[list[int]]:
    """A handler of the user's for SIGALRM; how often it has rung."""
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    yield rung
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def outcome_of(function: Callable[..., Any], *, is_plain: bool = True, **options: Any) -> Outcome:
    made = FunctionTask(function, name="step", **options)
    return perform(Call(0, 0, made, {}, FACTS, is_plain=is_plain, timeout_s=made.timeout))


def state_of(made: Task, *arguments: Any, **options: Any) -> api.State:
    with Flow("f") as f:
        call = made(*arguments)
    found: api.State = f.run(**options).result[call]
    return found


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


class OddError(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


# -- timeouts and alarms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner_timeout", [None, 60])
def test_the_timeout_of_a_task_ends_it_and_not_a_task_of_the_flow_that_it_runs(inner_timeout: float | None) -> None:
    ended: list[api.State] = []

    with Flow("inner") as inner:
        task(timeout=inner_timeout)(lambda: spin(30))()

    def outer() -> None:
        ended.append(inner.run())

    state = state_of(task(timeout=0.1)(outer))

    assert type(state) is api.TimedOut
    assert ended == []


def test_a_task_of_an_inner_flow_ends_by_its_own_timeout_and_the_outer_one_goes_on() -> None:
    with Flow("inner") as inner:
        call = task(timeout=0.05)(lambda: spin(30))()

    def outer() -> api.State:
        return inner.run().result[call]

    state = state_of(task(timeout=60)(outer))

    assert type(state.result) is api.TimedOut


def test_what_is_left_of_the_outer_time_still_counts_after_the_inner_flow() -> None:
    with Flow("inner") as inner:
        task(timeout=60)(lambda: None)()

    def outer() -> None:
        inner.run()
        spin(30)

    assert type(state_of(task(timeout=0.2)(outer))) is api.TimedOut


def test_an_alarm_of_the_user_rings_within_a_task_and_the_task_goes_on(own_alarm: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.02)

    outcome = outcome_of(lambda: spin(0.1) or "done", is_plain=False, timeout=60)

    assert (outcome.value, own_alarm) == ("done", [1])


def test_after_the_alarm_of_the_user_the_timeout_still_holds(own_alarm: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.02)

    outcome = outcome_of(lambda: spin(30), is_plain=False, timeout=0.1)

    assert (outcome.state, own_alarm) == (S.TIMED_OUT, [1])


def test_the_user_s_alarm_handler_is_put_back_however_close_the_end_comes_to_the_timeout(own_alarm: list[int]) -> None:
    mine = signal.getsignal(signal.SIGALRM)
    left_behind = 0

    for number in range(1500):
        outcome_of(lambda n=number: spin(0.00094 + 0.00006 * (n % 50) / 50), is_plain=False, timeout=0.001)
        if signal.getsignal(signal.SIGALRM) is not mine:
            left_behind += 1
            signal.signal(signal.SIGALRM, mine)

    assert left_behind == 0


def test_an_alarm_that_is_over_rings_no_more() -> None:
    from notebook_flows.engine.timeouts import Alarm

    alarm = Alarm(1.0, None)  # type: ignore[arg-type] # whose it is plays no part
    alarm.is_over = True

    alarm._ring(signal.SIGALRM, None)


def test_a_timeout_that_the_task_itself_raises_is_its_own() -> None:
    def raises() -> None:
        raise TaskTimeout("enough")

    assert outcome_of(raises).state is S.TIMED_OUT


def test_the_timeout_of_another_passes_through_a_handler() -> None:
    from notebook_flows.engine.attempt_context import Attempt

    other = Attempt(Call(1, 1, FunctionTask(lambda: 1, name="outer"), {}, FACTS))

    def handler(*_: Any) -> None:
        raise TaskTimeout(owner=other)

    with pytest.raises(TaskTimeout):
        outcome_of(lambda: 1, is_plain=False, state_handlers=[handler])


# -- retries ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["local", "threads:2"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_success_that_a_handler_makes_a_failure_is_tried_again(executor: str, is_async: bool) -> None:
    ran: list[int] = []

    def at_least_3(_task: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Failed("too small") if new.is_successful() and new.result < 3 else None

    def count() -> int:
        ran.append(1)
        return len(ran)

    async def count_async() -> int:
        return count()

    made = task(max_retries=3, retry_delay=0, state_handlers=[at_least_3])(count_async if is_async else count)

    state = state_of(made, executor=executor)

    assert (type(state), state.result) == (api.Success, 3)


def test_a_failure_that_a_handler_has_made_says_what_was_proposed() -> None:
    outcome = outcome_of(
        lambda: 1, is_plain=False, state_handlers=[lambda *_: api.Failed("no") if _[2].is_finished() else None]
    )

    assert outcome.state is S.FAILED
    assert outcome.details == {"proposed": "Success"}


def test_a_retry_may_be_asked_for_after_a_rest() -> None:
    def again() -> None:
        raise signals.RETRY(start_time=timedelta(seconds=5))

    outcome = outcome_of(again)

    assert outcome.state is S.RETRYING
    assert outcome.details is not None
    assert outcome.details["rest_us"] == 5_000_000
    assert outcome.details["due_us"] >= outcome.started_us + 5_000_000


@pytest.mark.parametrize("start_time", [5, "tomorrow", 1.5])
def test_a_retry_at_what_is_no_time_fails_the_task_where_it_was_written(start_time: Any) -> None:
    def again() -> None:
        raise signals.RETRY(start_time=start_time)

    outcome = outcome_of(again)

    assert outcome.state is S.FAILED
    assert "start_time is a datetime or a timedelta" in outcome.message
    assert "again" in outcome.details["traceback"]


@pytest.mark.parametrize(
    ("start_time", "details"),
    [
        (None, {"due_us": 0}),
        (datetime(2030, 1, 1, tzinfo=UTC), {"due_us": 1_893_456_000_000_000}),
        (datetime.min, {"due_us": 0}),  # noqa: DTZ901 - one that cannot be told in seconds
    ],
)
def test_when_a_state_is_due_is_told(start_time: datetime | None, details: dict[str, int]) -> None:
    found = retry_details(api.Retrying(start_time=start_time))

    assert found["due_us"] == details["due_us"] or (start_time == datetime.min and found["due_us"] < 0)  # noqa: DTZ901


def test_a_rest_is_told_as_such_and_never_beyond_all_years() -> None:
    assert retry_details(api.Retrying(start_time=timedelta(seconds=-1)))["rest_us"] == 0
    assert retry_details(api.Retrying(start_time=timedelta.max))["due_us"] < 2**63


# -- errors that are errors themselves -------------------------------------------------------------------------------------


def raise_odd() -> None:
    raise OddError


def odd_handler(*_: Any) -> None:
    raise OddError


def raise_odd_syntax_error() -> None:
    raise SyntaxError("m", ("f", 1, 1, 5))


@pytest.mark.parametrize("function", [raise_odd, raise_odd_syntax_error])
def test_an_error_without_words_fails_its_task_only(function: Any) -> None:
    outcome = outcome_of(function)

    assert outcome.state is S.FAILED
    assert function.__name__ in outcome.details["traceback"]


def test_a_handler_that_raises_such_an_error_fails_its_task_only() -> None:
    outcome = outcome_of(lambda: 1, is_plain=False, state_handlers=[odd_handler])

    sentence = (
        "Exception raised while calling state handlers: OddError (its text could not be made: RuntimeError: no repr)"
    )
    assert (outcome.state, outcome.message) == (S.FAILED, sentence)


@pytest.mark.parametrize("error", [OddError, SystemExit])
def test_what_raises_when_its_length_is_asked_for_cannot_be_mapped_over(error: type[BaseException]) -> None:
    class Strange:
        def __getitem__(self, index: int) -> int:
            return index

        def __len__(self) -> int:
            raise error

    with Flow("f") as f:
        made = task(lambda x: x, name="each").map(task(Strange, name="strange")())

    assert "no elements" in str(f.run().result[made].message)


def test_a_handler_that_exits_ends_its_task_and_not_the_run() -> None:
    def handler(_task: Any, _old: api.State, new: api.State) -> None:
        if new.is_finished():
            sys.exit("stop")

    with Flow("f") as f:
        bad, good = task(state_handlers=[handler])(lambda: 1)(), task(lambda: 2)()

    state = f.run()

    assert "SystemExit('stop')" in state.result[bad].message
    assert state.result[good].result == 2


@pytest.mark.parametrize("error", [ValueError("x" * 10**6), signals.FAIL("x" * 10**6)])
def test_what_the_history_gets_of_an_error_is_bounded(error: BaseException) -> None:
    def fails() -> None:
        raise error

    outcome = outcome_of(fails)

    assert len(outcome.message) < LONGEST_MESSAGE + 100
    assert len(outcome.details["traceback"]) < LONGEST_TRACEBACK + 100
    assert "characters left out" in outcome.message
    assert outcome.value is error


def test_a_text_that_is_not_too_long_stays_as_it_is() -> None:
    assert bounded("abcd", 4) == "abcd"


# -- forks -----------------------------------------------------------------------------------------------------------------


def exits() -> None:
    sys.exit(0)


def comes_back() -> None:
    return


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("ending", [exits, comes_back])
def test_a_forked_child_never_becomes_an_outcome(ending: Callable[[], None], is_plain: bool) -> None:
    here = os.getpid()
    children: list[int] = []

    def forks() -> str:
        child = os.fork()
        if child == 0:
            ending()
            return "child"
        children.append(child)
        return "parent"

    try:
        outcome = outcome_of(forks, is_plain=is_plain)
    except SystemExit:
        if os.getpid() != here:
            os._exit(7)
        raise
    if os.getpid() != here:
        os._exit(8)
    _, status = os.waitpid(children[0], 0)

    assert os.waitstatus_to_exitcode(status) == 7
    assert outcome.value == "parent"


# -- logs and prints -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def bare_root() -> Iterator[None]:
    """The root logger as a new process has it, without what pytest puts there."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def lines_of(function: Callable[[], Any], **options: Any) -> list[str]:
    lines: list[LogLine] = []
    with logs.caught("1", lines.extend):
        outcome = outcome_of(function, is_plain=not options, **options)
    assert outcome.state is S.SUCCESS, outcome.message
    return [line.message for line in lines]


def test_a_record_that_a_handler_of_the_user_has_told_is_not_told_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    own = logging.getLogger("tests.own")
    handler = logging.StreamHandler(stream)
    own.addHandler(handler)

    with bare_root():
        lines = lines_of(lambda: own.warning("once"))
    own.removeHandler(handler)

    assert (lines, stream.getvalue()) == (["once"], "once\n")
    assert not capsys.readouterr().err


def test_where_no_handler_stands_python_s_last_resort_speaks_as_ever(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bare_root():
        lines = lines_of(lambda: logging.getLogger("tests.nobody").warning("hear me"))

    assert lines == ["hear me"]
    assert capsys.readouterr().err == "hear me\n"


def test_logging_may_be_configured_within_a_task() -> None:
    stream = io.StringIO()

    def configures() -> None:
        logging.basicConfig(level=logging.INFO, stream=stream, format="CONFIGURED %(message)s")
        logging.getLogger("tests.x").info("inside")

    with bare_root():
        lines = lines_of(configures)
        logging.getLogger("tests.x").info("after")

    assert lines == ["inside"]
    assert stream.getvalue() == "CONFIGURED inside\nCONFIGURED after\n"


def test_a_logger_that_does_not_propagate_is_heard_too() -> None:
    own = logging.getLogger("tests.closed")
    own.propagate = False
    own.addHandler(logging.NullHandler())

    assert lines_of(lambda: own.warning("hidden")) == ["hidden"]


def test_whoever_hooks_into_logging_within_a_task_keeps_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    heard: list[str] = []

    def hooks() -> None:
        before = logging.Logger.callHandlers

        def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())
            before(logger, record)

        logging.Logger.callHandlers = theirs

    lines_of(hooks)
    lines = lines_of(lambda: logging.getLogger("tests.x").warning("both"))

    assert (lines, heard) == (["both"], ["both"])


def test_a_message_with_a_wrong_format_is_kept_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    assert lines_of(lambda: logging.getLogger("tests.x").debug("%d rows")) == []
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert lines_of(lambda: logging.getLogger("tests.x").warning("%d rows", "no number")) == ["%d rows"]


def test_lines_that_are_written_at_once_are_caught() -> None:
    assert lines_of(lambda: sys.stdout.writelines(["a\n", "b\n"]), log_stdout=True) == ["a", "b"]


def test_stdout_is_as_before_though_a_redirect_has_overlapped_with_a_task() -> None:
    before = sys.stdout
    redirected, printed = threading.Event(), threading.Event()

    def prints() -> None:
        assert redirected.wait(30)

    def redirects() -> None:
        while not isinstance(sys.stdout, logs._Router):
            time.sleep(0.001)
        with contextlib.redirect_stdout(io.StringIO()):
            redirected.set()
            assert printed.wait(30)

    thread = threading.Thread(target=redirects)
    with logs.caught("1", lambda _: None):
        thread.start()
        outcome_of(prints, is_plain=False, log_stdout=True)
        printed.set()
        thread.join()

    assert sys.stdout is before


def test_a_redirect_that_ends_after_the_run_puts_nothing_of_ours_back_for_long() -> None:
    before = sys.stdout
    redirect = contextlib.redirect_stdout(io.StringIO())
    lines_of(redirect.__enter__, log_stdout=True)

    redirect.__exit__(None, None, None)
    print("heals itself")

    assert sys.stdout is before


# -- caches ----------------------------------------------------------------------------------------------------------------


def test_inputs_whose_comparison_raises_count_as_different() -> None:
    class Frame:
        def __eq__(self, other: object) -> bool:
            raise ValueError("other labels")

        __hash__ = None  # type: ignore[assignment]

    def validate(one: Any, other: Any) -> bool:
        return cache_validators.all_inputs(api.Cached(cached_inputs={"x": one}), {"x": other}, {})

    frame = Frame()

    assert validate(frame, frame)
    assert not validate(frame, Frame())


@pytest.mark.parametrize("error", [ValueError, OddError, SystemExit])
def test_a_validator_that_raises_finds_nothing_and_is_told(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def validator(*_: Any) -> bool:
        raise error

    made = task(cache_for=HOUR, cache_validator=validator)(lambda: 1)
    state_of(made)

    state = state_of(made)

    assert type(state) is api.Success
    assert "cache_validator of task" in caplog.text


@pytest.fixture
def total() -> Task:
    return task(cache_for=HOUR, cache_validator=cache_validators.all_inputs)(lambda x: sum(x))


def test_an_input_that_was_changed_in_place_is_another_one(total: Task) -> None:
    numbers = [1]
    state_of(total, numbers)
    numbers.append(2)

    state = state_of(total, numbers)

    assert (type(state), state.result) == (api.Success, 3)


def test_an_input_that_the_task_itself_changes_never_gives_a_wrong_hit() -> None:
    made = task(cache_for=HOUR, cache_validator=cache_validators.all_inputs)(lambda x: x.pop())
    state_of(made, [1, 2])

    state = state_of(made, [1])

    assert (type(state), state.result) == (api.Success, 1)


def test_an_unchanged_object_that_knows_no_equality_is_still_the_same() -> None:
    made = task(cache_for=HOUR, cache_validator=cache_validators.all_inputs)(lambda x: 1)
    thing = OddError("the same")

    state_of(made, thing)

    assert state_of(made, thing).is_cached()
    assert not state_of(made, OddError("the same")).is_cached()


def test_what_cannot_be_copied_is_not_cached_and_the_reason_is_told(
    total: Task, caplog: pytest.LogCaptureFixture
) -> None:
    class Locked(list[int]):
        def __init__(self) -> None:
            super().__init__([1])
            self.lock = threading.Lock()

    given = Locked()
    state_of(total, given)

    state = state_of(total, given)

    assert type(state) is api.Success
    assert "is not cached" in caplog.text


def test_children_with_the_same_gathered_values_are_found_again() -> None:
    made = task(cache_for=HOUR, cache_validator=cache_validators.all_inputs, name="total")(lambda x: sum(x))

    def run() -> api.State:
        with Flow("f") as f:
            call = made(task(lambda x: x, name="each").map([1, 2]))
        found: api.State = f.run().result[call]
        return found

    assert type(run()) is api.Success
    assert run().is_cached()


# -- coroutines ------------------------------------------------------------------------------------------------------------


class AsyncCallable:
    async def __call__(self) -> int:
        return 1


async def one(x: int = 0) -> int:
    return x + 1


@functools.wraps(one)
def returns_it(*args: Any, **kwargs: Any) -> Any:
    return one(*args, **kwargs)


@functools.wraps(one)
def runs_it(*args: Any, **kwargs: Any) -> Any:
    import asyncio

    return asyncio.run(one(*args, **kwargs))


@pytest.mark.parametrize("executor", ["local", "threads:2"])
@pytest.mark.parametrize("function", [AsyncCallable(), functools.partial(one, x=0), returns_it, runs_it])
@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_whatever_is_async_in_its_depths_is_awaited(function: Any, executor: str, options: Any) -> None:
    state = state_of(FunctionTask(function, name="step", **options), executor=executor)

    assert state.result == 1


def test_an_async_function_that_is_wrapped_runs_under_a_running_loop_too() -> None:
    import asyncio

    async def in_a_kernel() -> api.State:
        return state_of(FunctionTask(returns_it, name="step"))

    assert asyncio.run(in_a_kernel()).result == 1


@pytest.mark.parametrize("options", [{}, {"timeout": 60}])
def test_a_coroutine_that_nobody_would_await_is_a_failure(options: Any) -> None:
    state = state_of(FunctionTask(lambda: one(), name="step", **options))

    assert state.is_failed()
    assert "returned a coroutine" in str(state.result)


# -- context, results and names --------------------------------------------------------------------------------------------


def test_keys_of_the_user_s_context_may_be_called_as_they_like(tmp_path: Path) -> None:
    made = task(target="t.pkl", result=LocalResult(tmp_path))(lambda: 5)
    with Flow("f") as f:
        call = made()

    state = f.run(context={"location": "Berlin", "value": 3, "self": 1})

    assert state.result[call].is_successful()
    assert (tmp_path / "t.pkl").exists()


def test_upstream_states_are_there_where_they_were_prepared_and_not_empty_elsewhere() -> None:
    @task
    def plain(x: int) -> bool:
        return "upstream_states" in context

    @task
    def asks(x: int, context: Any) -> list[str]:
        return list(context.upstream_states)

    with Flow("f") as f:
        first = task(lambda: 1, name="first")()
        without, with_them = plain(first), asks(first)
    state = f.run()

    assert state.result[without].result is False
    assert state.result[with_them].result == ["first"]


@pytest.mark.parametrize(
    "name", ["{task_name} of {flow_name}", lambda **keys: f"{keys['task_name']} of {keys['flow_name']}"]
)
@pytest.mark.parametrize("is_async", [False, True])
def test_the_name_of_a_task_run_is_in_its_event_and_its_context(name: Any, is_async: bool) -> None:
    def own_name() -> Any:
        return context.task_run_name

    async def own_name_async() -> Any:
        return context.task_run_name

    with Flow("f") as f:
        call = FunctionTask(own_name_async if is_async else own_name, name="step", task_run_name=name)()
    state = f.run()

    made = FunctionTask(own_name, name="step", task_run_name=name)
    outcome = perform(Call(0, 0, made, {}, FACTS, is_plain=False))

    assert state.result[call].result == "step of f"
    assert outcome.details == {"run_name": "step of f"}


def test_a_name_that_cannot_be_made_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    outcome = outcome_of(lambda: 1, is_plain=False, task_run_name="{nobody}")

    assert (outcome.state, outcome.value) == (S.SUCCESS, 1)
    assert "task_run_name" in caplog.text


def test_a_mapped_state_that_came_from_another_process_is_loaded() -> None:
    import pickle
    from types import SimpleNamespace

    from notebook_flows.engine.call import Pickled
    from notebook_flows.engine.results import Ledger

    ledger = Ledger(SimpleNamespace(state=[S.MAPPED], children={}))  # type: ignore[arg-type] # all that it looks at
    ledger.values[0] = Pickled(pickle.dumps([1, 2]))

    assert ledger.state(0).result == [1, 2]
