"""What a run tells: errors with their traceback, log lines, prints, warnings, each from the task that it comes from."""

from __future__ import annotations

import logging
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, LocalExecutor, ProcessExecutor, ThreadExecutor, raise_on_exception, task
from notebook_flows.core.context import context
from notebook_flows.core.lifecycle import S
from notebook_flows.testing import InlineExecutor, MemoryEventLog, run_flow_for_test

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = "5" * 32
HERE = [InlineExecutor, LocalExecutor, lambda: ThreadExecutor(2)]


def deep(number: int) -> int:
    return 1 // number if number == 0 else deep(number - 1)


@pytest.mark.parametrize("executor", HERE)
def test_an_exception_keeps_its_traceback(executor: Callable[[], Any]) -> None:
    with Flow("failing") as flow:
        bad = task(deep)(2)

    state = run_flow_for_test(flow, executor=executor())

    error = state.result[bad].result
    assert isinstance(error, ZeroDivisionError)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)].count("deep") == 3
    assert "integer division" in state.result[bad].message


def test_the_traceback_is_in_the_history_and_begins_in_the_users_code() -> None:
    log = MemoryEventLog()
    with Flow("failing") as flow:
        task(deep)(2)

    run_flow_for_test(flow, event_log=log, flow_run_id=RUN)

    (data,) = (event.data for event in log.read(RUN) if event.state is S.FAILED and event.node == 0)
    assert data is not None
    assert data["error"] == "ZeroDivisionError"
    assert data["traceback"].count("in deep") == 3
    assert "engine/attempt.py" not in data["traceback"]
    assert data["traceback"].splitlines()[-1].startswith("ZeroDivisionError")


def test_from_a_process_an_exception_comes_with_its_type_and_its_traceback_in_the_history() -> None:
    log = MemoryEventLog()
    with Flow("failing") as flow:
        bad = task(deep)(2)

    state = run_flow_for_test(flow, executor=ProcessExecutor(1), event_log=log, flow_run_id=RUN)

    assert isinstance(state.result[bad].result, ZeroDivisionError)
    (data,) = (event.data for event in log.read(RUN) if event.state is S.FAILED and event.node == 0)
    assert data is not None
    assert data["traceback"].count("in deep") == 3


@pytest.mark.parametrize("executor", HERE)
def test_an_exception_can_be_let_through(executor: Callable[[], Any]) -> None:
    log = MemoryEventLog()
    with Flow("failing") as flow:
        task(deep)(0)

    with raise_on_exception(), pytest.raises(ZeroDivisionError):
        run_flow_for_test(flow, executor=executor(), event_log=log, flow_run_id=RUN)

    assert log.run(RUN).state is S.FAILED


def test_events_and_their_order_of_a_small_run() -> None:
    log = MemoryEventLog()
    with Flow("small") as flow:
        one = task(lambda: 1, name="one")()
        task(lambda x: x, name="two")(one)

    run_flow_for_test(flow, event_log=log, flow_run_id=RUN)

    assert [(event.node, event.state) for event in log.read(RUN)] == [
        (-1, S.RUNNING),
        (0, S.RUNNING),
        (0, S.SUCCESS),
        (1, S.RUNNING),
        (1, S.SUCCESS),
        (-1, S.SUCCESS),
    ]


# -- log lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", HERE)
def test_what_a_task_logs_is_kept_with_the_task(executor: Callable[[], Any]) -> None:
    log = MemoryEventLog()
    with Flow("talking") as flow:

        @task
        def talk(x: int) -> int:
            context.logger.info("number %d", x)
            logging.getLogger("library").warning("from a library, %d", x)
            return x

        talk.map([10, 20, 30])
        talk(40)

    run_flow_for_test(flow, executor=executor(), event_log=log, flow_run_id=RUN)

    told = {(row.slug, row.index, row.message) for row in log.log_lines(RUN)}
    numbers = [("talk-1", 0, 10), ("talk-1", 1, 20), ("talk-1", 2, 30), ("talk-2", -1, 40)]
    assert told == {
        (slug, index, f"{words}{x}") for slug, index, x in numbers for words in ("number ", "from a library, ")
    }


def test_log_lines_of_two_runs_at_the_same_time_are_told_apart() -> None:
    log = MemoryEventLog()
    both = threading.Barrier(2, timeout=20)

    def run(word: str) -> None:
        with Flow(word) as flow:

            @task
            def talk() -> None:
                both.wait()
                logging.getLogger("both").warning("%s", word)
                both.wait()

            talk()
        run_flow_for_test(flow, event_log=log, flow_run_id=word * 16, executor=ThreadExecutor(1))

    threads = [threading.Thread(target=run, args=(word,)) for word in ("aa", "bb")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [row.message for row in log.log_lines("aa" * 16)] == ["aa"]
    assert [row.message for row in log.log_lines("bb" * 16)] == ["bb"]


def test_what_is_logged_outside_of_tasks_is_not_the_runs() -> None:
    log = MemoryEventLog()
    with Flow("quiet") as flow:
        task(lambda: None, name="quiet")(upstream_tasks=[])

    logging.getLogger("before").warning("before")
    run_flow_for_test(flow, event_log=log, flow_run_id=RUN)
    logging.getLogger("after").warning("after")

    assert log.log_lines(RUN) == []
    assert not [handler for handler in logging.getLogger().handlers if type(handler).__name__ == "_Catcher"]


def test_a_log_line_that_cannot_be_formatted_harms_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own lets such a slip fail
    with Flow("odd") as flow:
        task(lambda: logging.getLogger("odd").warning("%d", "no number"), name="odd")()

    state = run_flow_for_test(flow, event_log=MemoryEventLog())

    assert state.is_successful()
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.parametrize("executor", HERE)
def test_prints_are_captured_where_that_is_asked_for_and_still_seen(
    executor: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log = MemoryEventLog()
    with Flow("printing") as flow:
        task(lambda: print("kept\nand this"), name="kept", log_stdout=True)()
        task(lambda: print("seen only"), name="seen")()

    run_flow_for_test(flow, executor=executor(), event_log=log, flow_run_id=RUN)

    assert [(row.slug, row.logger, row.message) for row in log.log_lines(RUN)] == [
        ("kept-1", "stdout", "kept"),
        ("kept-1", "stdout", "and this"),
    ]
    assert {"kept", "and this", "seen only"} <= set(capsys.readouterr().out.splitlines())


def test_a_warning_in_a_task_is_a_warning() -> None:
    with Flow("warning") as flow:
        task(lambda: warnings.warn("careful", UserWarning, stacklevel=1), name="warns")()

    with pytest.warns(UserWarning, match="careful"):
        state = run_flow_for_test(flow)

    assert state.is_successful()


def test_a_warning_that_is_an_error_is_the_tasks_failure() -> None:
    with Flow("warning") as flow:
        one = task(lambda: warnings.warn("careful", UserWarning, stacklevel=1), name="warns")()

    state = run_flow_for_test(flow)

    assert isinstance(state.result[one].result, UserWarning)


def test_an_observer_is_told_all_events_and_one_that_fails_harms_nobody() -> None:
    told: list[Any] = []
    log = MemoryEventLog()

    def broken(run: Any, events: Any) -> None:
        raise RuntimeError("no picture today")

    with Flow("watched") as flow:
        task(lambda: 1, name="one")()

    state = run_flow_for_test(
        flow, event_log=log, flow_run_id=RUN, observers=[broken, lambda run, events: told.extend(events)]
    )

    assert state.is_successful()
    assert told == log.read(RUN)
