"""Tasks with ``cache``: the same code and inputs are run once, whatever run, process or executor asks."""

from __future__ import annotations

import logging
import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from counted import count, counted

from notebook_flows import Flow, Parameter, task
from notebook_flows.core.context import context
from notebook_flows.core.lifecycle import S
from notebook_flows.core.secret import Secret
from notebook_flows.core.state import Retrying
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.store.kept import KeptReader
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("history")


@task(cache=True)
def load(n):
    count("load")
    return list(range(n))


@task(cache=True)
def total(values):
    count("total")
    return sum(values)


@task(cache=True)
def square(x):
    count("square")
    return x * x


@task(cache=True)
def add(x, y):
    count("add")
    return x + y


@task(cache=True)
def big(n):
    count("big")
    return "x" * (MOST_INLINE + n)


@task(cache=True)
def length(text):
    count("length")
    return len(text)


@task
def plain(x):
    count("plain")
    return x


def etl() -> tuple[Flow, Any]:
    with Flow("etl") as flow:
        n = Parameter("n", default=3)
        end = total(square.map(load(n)))
    return flow, end


@pytest.mark.parametrize("executor", ["local", "threads:1"])
def test_what_has_to_run_again_has_its_turn_among_what_need_not(executor: str) -> None:
    def flow(changed: int) -> Flow:
        with Flow("many") as made:
            for number in range(150):
                square(-number if number == changed else number)
                if number % 50 == 20:
                    total(load(number))
        return made

    flow(0).run(executor=executor)
    counted()

    state = flow(77).run(executor=executor)

    log = event_log()
    row = log.runs(limit=1)[0]
    asked = [event.node for event in log.read(row.run_id) if event.state in {S.RUNNING, S.CACHED} and event.node >= 0]
    assert state.is_successful()
    assert counted() == {"square": 1}
    assert row.counts == {S.CACHED: 155, S.SUCCESS: 1}
    assert asked == sorted(asked) or executor != "local"
    assert sorted(asked) == list(range(156))


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_in_chains_only_what_comes_after_a_change_runs_again(executor: str) -> None:
    def flow(changed: int) -> tuple[Flow, list[Any]]:
        with Flow("chains") as made:
            ends = []
            for number in range(40):
                link = square(-number if number == changed else number)
                for _ in range(4):
                    link = add(link, 100 if number == changed else 1)
                ends.append(link)
        return made, ends

    flow(-1)[0].run(executor=executor)
    counted()

    made, ends = flow(23)
    state = made.run(executor=executor)

    log = event_log()
    row = log.runs(limit=1)[0]
    ended = [event.node for event in log.read(row.run_id) if event.state in {S.SUCCESS, S.CACHED} and event.node >= 0]
    assert [state.result[one].result for one in ends] == [n * n + (400 if n == 23 else 4) for n in range(40)]
    assert counted() == {"square": 1, "add": 4}
    assert row.counts == {S.CACHED: 195, S.SUCCESS: 5}
    assert ended == list(range(200)) or executor != "local"


def test_what_is_taken_from_the_cache_is_told_while_the_run_goes_on() -> None:
    with Flow("many") as flow:
        for number in range(300):
            square(number)
    flow.run()
    told: list[int] = []

    flow.run(observers=[lambda _run, events: told.append(sum(event.state is S.CACHED for event in events))])

    assert sum(told) == 300
    assert max(told) <= 150


def test_a_handler_that_wants_it_run_after_all_is_heard_before_the_next_is_looked_for() -> None:
    def once_more(_task: Any, _old: Any, new: Any) -> Any:
        return Retrying("Once more.", start_time=None) if new.is_cached() else new

    @task(cache=True, state_handlers=[once_more])
    def wary(x):
        count("wary")
        return x

    with Flow("wary") as flow:
        square(7)
        wary(7)
        square(8)
    flow.run()
    counted()

    state = flow.run()

    log = event_log()
    told = [(event.node, event.state) for event in log.read(log.runs(limit=1)[0].run_id) if event.node >= 0]
    assert state.is_successful()
    assert counted() == {"wary": 1}
    assert told == [(0, S.CACHED), (1, S.RETRYING), (1, S.RUNNING), (1, S.SUCCESS), (2, S.CACHED)]


def test_that_a_result_was_of_use_is_written_once_an_hour(history: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if history == "memory":
        pytest.skip("results in memory end with their process")
    told: list[list[str]] = []
    monkeypatch.setattr(type(event_log()), "used", lambda _, keys: told.append(list(keys)))
    flow, _ = etl()
    flow.run()

    flow.run()
    monkeypatch.setattr("notebook_flows.workspace.reuse.USED_EVERY_US", 0)
    flow.run()

    assert [len(keys) for keys in told] == [5]
    lines = event_log().log_lines(event_log().runs(limit=1)[0].run_id)
    assert "5 tasks were taken from the cache." in [line.message for line in lines]


@pytest.mark.parametrize("executor", ["local", "threads:2", "processes:2"])
def test_the_same_again_is_taken_from_the_run_before(executor: str, history: str) -> None:
    if history == "memory" and executor.startswith("processes"):
        executor = "local"
    flow, end = etl()

    first, first_counts = flow.run(executor=executor), counted()
    second, second_counts = flow.run(executor=executor), counted()

    assert first_counts == {"load": 1, "square": 3, "total": 1}
    assert second_counts == {}
    assert [state.result[end].result for state in (first, second)] == [5, 5]
    assert second.result[end].is_cached()
    assert re.match(rf"From run {first.context['flow_run_id'][:8]}", second.result[end].message)


def test_another_parameter_runs_what_it_reaches() -> None:
    flow, end = etl()
    flow.run()
    counted()

    state = flow.run(n=4)

    assert counted() == {"load": 1, "square": 1, "total": 1}  # 0, 1 and 4 were squared before
    assert state.result[end].result == 14


def test_an_upstream_that_gives_the_same_again_makes_nothing_run_after_it() -> None:
    with Flow("cut off") as flow:
        end = total(plain(load(3)))
    flow.run()
    counted()

    flow.run()

    assert counted() == {"plain": 1}
    assert flow.run().result[end].result == 3


def test_calls_of_other_versions_have_results_of_their_own_in_one_flow_too() -> None:
    def flow() -> Flow:
        with Flow("versions") as made:
            for version in (None, 1, None, 2, 1):
                square(3, task_args={"version": version})
        return made

    flow().run()
    assert counted().keys() == {"square"}
    flow().run()

    log = event_log()
    events = log.read(log.runs(limit=1)[0].run_id)
    keys = [event.data["result"]["cached"] for event in events if event.state is S.CACHED]
    assert counted() == {}
    assert [keys.index(key) for key in keys] == [0, 1, 0, 3, 1]


def test_another_version_runs_again() -> None:
    def flow(version: Any) -> Flow:
        with Flow("versions") as made:
            load(3, task_args={"version": version})
        return made

    for version in (None, 1, 1, "2", "2", 1):
        flow(version).run()

    assert counted() == {"load": 3}


def test_other_code_runs_again(tmp_path: Path) -> None:
    def flow(body: str) -> Flow:
        names: dict[str, Any] = {"count": count}
        exec(f"def made(x):\n    count('made')\n    return {body}", names)
        with Flow("code") as built:
            task(cache=True)(names["made"])(1)
        return built

    for body in ("x + 1", "x + 2", "x + 1", "x + 2"):
        flow(body).run()

    assert counted() == {"made": 2}


def test_a_task_without_cache_runs_each_time() -> None:
    with Flow("plain") as flow:
        plain(1)

    flow.run()
    flow.run()

    assert counted() == {"plain": 2}


def test_a_result_that_is_too_old_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Flow("old") as flow:
        load(3, task_args={"cache": timedelta(hours=1)})
    flow.run()
    flow.run()
    from notebook_flows.workspace import reuse

    now_ns = reuse.time.time_ns()
    monkeypatch.setattr(reuse.time, "time_ns", lambda: now_ns + 3_601 * 10**9)
    flow.run()

    assert counted() == {"load": 2}


def test_a_result_from_a_day_to_come_is_made_again_where_its_age_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with Flow("set back") as flow:
        load(3, task_args={"cache": timedelta(hours=1)})
        square(3)
    from notebook_flows.workspace import reuse

    with monkeypatch.context() as inner:  # a machine that had a wrong date, as some have after they were switched on
        now_ns = reuse.time.time_ns()
        inner.setattr(reuse.time, "time_ns", lambda: now_ns + 400 * 86_400 * 10**9)
        flow.run()

    flow.run()
    flow.run()

    assert counted() == {"load": 2, "square": 1}


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_what_was_made_of_an_input_that_a_failed_attempt_had_changed_is_not_taken_for_the_unchanged_one(
    executor: str, tmp_path: Path
) -> None:
    tried = tmp_path / "tried"

    @task(cache=True, max_retries=1, retry_delay=timedelta(0))
    def appends(rows):
        rows.append(2)
        count("appends")
        if not tried.exists():
            tried.mkdir()
            raise ValueError
        return len(rows)

    with Flow("again") as flow:
        end = appends(load(1))

    lengths = [flow.run(executor=executor).result[end].result for _ in range(3)]

    assert lengths == [3, 2, 2]
    assert counted() == {"load": 1, "appends": 3}


def test_a_failure_is_never_taken() -> None:
    @task(cache=True)
    def fails(x):
        count("fails")
        raise ValueError(x)

    with Flow("fails") as flow:
        fails(1)

    flow.run()
    flow.run()

    assert counted() == {"fails": 2}


@pytest.mark.parametrize(("choice", "expected"), [("off", {"load": 2}), ("refresh", {"load": 2}), ("on", {"load": 1})])
def test_the_setting_decides(choice: str, expected: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    with Flow("set") as flow:
        load(3)
    monkeypatch.setenv("NOTEBOOK_FLOWS_CACHE", choice)

    flow.run()
    flow.run()

    assert counted() == expected


def test_large_results_are_loaded_only_by_who_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows.store.keeping import ResultStore

    with Flow("large") as flow:
        end = length(big(1))
    flow.run()
    loads: list[int] = []
    load_it = ResultStore.load
    monkeypatch.setattr(ResultStore, "load", lambda *a, **k: (loads.append(1), load_it(*a, **k))[1])

    state = flow.run()

    assert loads == []
    assert state.result[end].result == MOST_INLINE + 1
    assert counted() == {"big": 1, "length": 1}


def test_what_another_task_has_changed_in_place_counts_as_it_is_now() -> None:
    @task
    def spoil(values):
        values.append(100)

    with Flow("changed") as flow:
        values = load(3)
        spoiled = spoil(values)
        end = total(values, upstream_tasks=[spoiled])

    assert [flow.run().result[end].result for _ in range(3)] == [103, 103, 103]
    assert counted() == {"load": 1, "total": 1}


def test_what_has_no_key_runs_again_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    @task(cache=True)
    def reads_context(x):
        count("reads_context")
        return context.get("run_id") is not None

    @task(cache=True)
    def takes_lock(x):
        count("takes_lock")
        return 1

    @task
    def make_thread():
        return threading.Thread()

    with Flow("unhashable") as flow:
        reads_context(1)
        takes_lock(make_thread())

    with caplog.at_level(logging.WARNING):
        flow.run()
        flow.run()

    assert counted() == {"reads_context": 2, "takes_lock": 2}
    assert "Task 'reads_context' runs, and is not cached: task 'reads_context', 'context'" in caplog.text
    assert "the argument 'x': a 'threading.Thread' is a running thread" in caplog.text


def test_what_cannot_be_kept_runs_again_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    @task(cache=True)
    def makes_lock(x):
        count("makes_lock")
        return threading.Lock()

    with Flow("unkept") as flow:
        end = makes_lock(1)

    with caplog.at_level(logging.WARNING):
        states = [flow.run(), flow.run()]

    assert counted() == {"makes_lock": 2}
    assert all(state.result[end].is_successful() for state in states)
    assert "Task 'makes_lock' is not cached: " in caplog.text
    assert "cannot be pickled" in caplog.text


def test_what_is_gone_or_damaged_is_made_again(disk: Path) -> None:
    with Flow("gone") as flow:
        end = big(1)
    flow.run()
    blob = next(path for path in (disk / "blobs").rglob("*") if path.is_file())

    blob.write_bytes(b"cut short")
    state = flow.run()

    assert counted() == {"big": 2}
    assert len(state.result[end].result) == MOST_INLINE + 1


def test_what_was_damaged_without_a_change_of_its_size_is_told_in_a_sentence_and_made_again_next_time(
    disk: Path,
) -> None:
    @task
    def measures(content):
        return len(content)

    with Flow("damaged") as flow:
        end = measures(big(1))
    flow.run()
    blob = next(path for path in (disk / "blobs").rglob("*") if path.is_file())

    blob.write_bytes(b"\0" * blob.stat().st_size)
    damaged, again = flow.run(), flow.run()

    assert str(damaged.result[end].message).startswith("Its arguments could not be made: The content ")
    assert "BlobDamaged" not in str(damaged.result[end].message)
    assert again.result[end].result == MOST_INLINE + 1
    assert counted() == {"big": 2}


def test_a_secret_counts_and_is_nowhere_on_the_disk(disk: Path) -> None:
    @task(cache=True)
    def uses(password):
        count("uses")
        return len(password.get())

    with Flow("secret") as flow:
        end = uses(Parameter("password", default=Secret("")))

    for password in ("canary-4711", "canary-4711", "canary-0815"):
        assert flow.run(password=Secret(password)).result[end].result == 11
    event_log().close()

    assert counted() == {"uses": 2}
    written = b"".join(path.read_bytes() for path in disk.rglob("*") if path.is_file())
    assert b"canary" not in written
    assert b"uses" in written


def test_handlers_see_a_cached_state() -> None:
    seen: list[str] = []

    def handler(_task: Any, _old: Any, new: Any) -> None:
        seen.append(type(new).__name__)

    with Flow("handlers") as flow:
        square(3, task_args={"state_handlers": [handler]})
    flow.run()
    seen.clear()

    flow.run()

    assert seen == ["Cached"]


def test_an_array_goes_from_run_to_run() -> None:
    @task(cache=True)
    def make(n):
        count("make")
        return np.arange(n)

    @task(cache=True)
    def add(a):
        count("add")
        return int(a.sum())

    with Flow("arrays") as flow:
        end = add(make(50_000))

    assert [flow.run().result[end].result for _ in range(2)] == [1_249_975_000] * 2
    assert counted() == {"make": 1, "add": 1}


@pytest.mark.parametrize("option", [{"cache": 1}, {"cache": timedelta(0)}, {"cache": "yes"}, {"version": 1.5}])
def test_a_wrong_option_fails_where_it_is_written(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="The (cache|version) of task 'plain' is "):
        plain.copy(**option)
    with pytest.raises(TypeError, match="The (cache|version) of task 'f' is "):
        task(name="f", **option)(lambda x: x)


def test_without_a_history_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    with Flow("off") as flow:
        load(3)

    flow.run()
    flow.run()

    assert counted() == {"load": 2}
    assert not (tmp_path / "store").exists()


def test_many_results_of_one_run_are_read_at_once(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del disk

    @task(cache=True)
    def number(n: int) -> int:
        return n

    def run() -> list[object]:
        with Flow("many") as flow:
            calls = [number(n) for n in range(200)]
        state = flow.run()
        assert all(type(state.result[call]).__name__ == kind for call in calls)
        return [state.result[call].result for call in calls]

    kind = "Success"
    run()
    asked = []
    answer = KeptReader._answer
    monkeypatch.setattr(KeptReader, "_answer", lambda self, *told: asked.append(told) or answer(self, *told))
    kind = "Cached"

    found = run()

    assert found == list(range(200))
    assert len(asked) < 50


def test_the_log_of_a_run_says_how_many_were_taken_and_which_cannot_be() -> None:
    with Flow("logged") as flow:
        total(load(3))
        of_a_generator(stream())
    flow.run()

    state = flow.run()

    lines = [line.message for line in event_log().log_lines(state.context["flow_run_id"])]
    assert "2 tasks were taken from the cache." in lines
    assert any(line.startswith("Task 'of_a_generator' runs, and is not cached: the argument") for line in lines)


@task
def stream():
    return (n for n in range(3))


@task(cache=True)
def of_a_generator(numbers):
    return sum(numbers)
