"""Notebooks that were written for Prefect 1 run after their import lines were changed."""

from __future__ import annotations

import pickle
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import LocalExecutor, ProcessExecutor, ThreadExecutor, prefect
from notebook_flows.prefect import Flow, Parameter, Task, case, flatten, resource_manager, tags, task, unmapped
from notebook_flows.prefect.engine import signals
from notebook_flows.prefect.engine.results import LocalResult, PrefectResult
from notebook_flows.prefect.engine.serializers import CompressedSerializer, DateTimeSerializer, JSONSerializer
from notebook_flows.prefect.engine.state import Failed, Skipped, State, Success
from notebook_flows.prefect.executors import LocalDaskExecutor
from notebook_flows.prefect.run_configs import KubernetesRun
from notebook_flows.prefect.schedules import IntervalSchedule, Schedule, filters
from notebook_flows.prefect.schedules.clocks import CronClock
from notebook_flows.prefect.storage import S3
from notebook_flows.prefect.tasks.control_flow import FilterTask, merge
from notebook_flows.prefect.triggers import all_finished, any_failed
from notebook_flows.prefect.utilities.debug import raise_on_exception
from notebook_flows.prefect.utilities.logging import get_logger
from notebook_flows.prefect.utilities.notifications import callback_factory
from notebook_flows.prefect.utilities.tasks import defaults_from_attrs, pause_task

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    monkeypatch.setenv("NOTEBOOK_FLOWS_RESULTS", str(tmp_path / "results"))


def test_an_etl_notebook() -> None:
    @task(max_retries=3, retry_delay=timedelta(seconds=0))
    def extract(date: str) -> list[int]:
        logger = prefect.context.get("logger")
        logger.info("extracting %s", date)
        if prefect.context.task_run_count < 2:
            raise ConnectionError(date)
        return [1, 2, 3]

    @task
    def transform(x: int, factor: int) -> int:
        return x * factor

    @task(log_stdout=True)
    def load(data: list[int]) -> int:
        print(len(data))
        return sum(data)

    with Flow("ETL", run_config=KubernetesRun(image="python"), storage=S3(bucket="b")) as flow:
        date = Parameter("date", default="2021-01-01")
        factor = Parameter("factor", default=10)
        with tags("slow"):
            data = extract(date)
        loaded = load(transform.map(data, unmapped(factor)))

    state = flow.run(parameters={"factor": 2}, executor=LocalDaskExecutor(num_workers=2))

    assert state.is_successful()
    assert state.result[loaded].result == 12
    assert [each.name for each in flow.get_tasks(tags=["slow"])] == ["extract"]


def test_a_notebook_with_branches_resources_and_filters() -> None:
    closed: list[str] = []

    @resource_manager
    class Connection:
        def setup(self) -> str:
            return "connection"

        def cleanup(self, connection: str) -> None:
            closed.append(connection)

    @task
    def invert(x: float) -> float:
        return 1 / x

    @task
    def numbers() -> list[list[float]]:
        return [[1, 0], [2]]

    @task
    def count(xs: list[float], connection: str) -> int:
        return len(xs)

    with Flow("f") as flow, Connection() as connection:
        inverted = FilterTask()(invert.map(flatten(numbers())))
        size = count(inverted, connection)
        with case(size, 2):
            two = task(lambda: "two")()
        with case(size, 3):
            three = task(lambda: "three")()
        told = merge(two, three)

    state = flow.run()

    assert state.result[inverted].result == [1.0, 0.5]
    assert state.result[told].result == "two"
    assert closed == ["connection"]


def test_a_notebook_with_signals_triggers_and_handlers() -> None:
    told: list[str] = []

    def handler(owner: Task, old: State, new: State) -> State:
        told.append(f"{owner.name}: {type(new).__name__}")
        return new

    on_failure = callback_factory(lambda owner, state: told.append(f"{owner.name} failed"), check=State.is_failed)

    @task(state_handlers=[handler, on_failure])
    def check() -> None:
        raise signals.FAIL("no good")

    @task(trigger=any_failed)
    def rescue() -> str:
        raise signals.SUCCESS(result="rescued")

    @task(trigger=all_finished, skip_on_upstream_skip=False)
    def report() -> None:
        raise signals.SKIP("nothing to tell")

    with Flow("f") as flow:
        checked = check()
        rescued = rescue(upstream_tasks=[checked])
        reported = report(upstream_tasks=[rescued])

    state = flow.run()

    assert told == ["check: Running", "check: Failed", "check failed"]
    assert isinstance(state.result[checked], Failed)
    assert state.result[rescued] == Success(result="rescued")
    assert isinstance(state.result[reported], Skipped)


def test_a_task_class_with_a_logger_and_defaults_from_attributes(caplog: pytest.LogCaptureFixture) -> None:
    class Fetch(Task):
        def __init__(self, url: str | None = None, **kwargs: Any) -> None:
            self.url = url
            super().__init__(**kwargs)

        @defaults_from_attrs("url")
        def run(self, url: str | None = None) -> str | None:
            self.logger.info("fetching %s", url)
            return url

    with Flow("f") as flow:
        by_attribute, by_call = Fetch(url="a")(), Fetch(url="a")(url="b")

    with caplog.at_level("INFO"):
        state = flow.run()

    assert (state.result[by_attribute].result, state.result[by_call].result) == ("a", "b")
    assert "fetching b" in caplog.messages


def test_a_logger_may_be_set_by_the_task_itself() -> None:
    class Own(Task):
        def __init__(self) -> None:
            super().__init__()
            self.logger = get_logger("own")

    assert Own().logger.name == "notebook_flows.task.own"


def test_a_paused_task_goes_on_when_it_is_resumed() -> None:
    @task
    def careful() -> str:
        pause_task("may I?", duration=timedelta(days=1))
        return "done"

    with Flow("f") as flow:
        made = careful()

    paused = flow.run()
    resumed = flow.run(context={"resume": True})

    assert (paused.result[made].message, resumed.result[made].result) == ("may I?", "done")


def test_results_are_files_where_prefect_has_them(tmp_path: Path) -> None:
    @task(target="{date:%Y}/out.json", result=LocalResult(dir=str(tmp_path), serializer=JSONSerializer()))
    def kept() -> dict[str, int]:
        return {"a": 1}

    @task(result=PrefectResult())
    def small() -> int:
        return 1

    @task(result=LocalResult(location="here.pkl"))
    def by_default() -> int:
        return 5

    with Flow("f") as flow:
        first, _, last = kept(), small(), by_default()

    state = flow.run()

    assert state.is_successful()
    assert flow.run().result[first].is_cached()
    assert pickle.loads((tmp_path / "results" / "here.pkl").read_bytes()) == state.result[last].result == 5


@pytest.mark.parametrize("fmt", ["bz2", "gzip", "lzma", "zlib"])
def test_serializers_give_back_what_they_got(fmt: str) -> None:
    moment = datetime(2021, 1, 31, tzinfo=UTC)
    serializer = CompressedSerializer(DateTimeSerializer(), fmt=fmt)

    assert serializer.deserialize(serializer.serialize(moment)) == moment


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="bz2, gzip, lzma, zlib"):
        CompressedSerializer(JSONSerializer(), fmt="rar")


@pytest.mark.parametrize(
    ("options", "kind", "workers"),
    [
        ({}, ThreadExecutor, None),
        ({"scheduler": "threads", "num_workers": 3}, ThreadExecutor, 3),
        ({"scheduler": "processes", "num_workers": 2}, ProcessExecutor, 2),
        ({"scheduler": "synchronous"}, LocalExecutor, 1),
        ({"scheduler": "sync", "num_workers": 5}, LocalExecutor, 1),
    ],
)
def test_a_local_dask_executor_is_one_of_ours(options: Any, kind: type, workers: int | None) -> None:
    executor = LocalDaskExecutor(**options)

    assert type(executor) is kind
    assert workers is None or executor.workers == workers


def test_an_unknown_scheduler_is_refused() -> None:
    with pytest.raises(ValueError, match="threads, processes or synchronous"):
        LocalDaskExecutor(scheduler="distributed")


def test_schedules_are_written_as_before() -> None:
    every_hour = IntervalSchedule(interval=timedelta(hours=1))
    office = Schedule(clocks=[CronClock("0 9 * * *")], filters=[filters.is_weekday])
    friday = datetime(2021, 1, 29, 12, tzinfo=UTC)

    assert Flow("f", schedule=every_hour).schedule is every_hour
    assert office.next(1, after=friday) == [datetime(2021, 2, 1, 9, tzinfo=UTC)]


def test_run_configs_and_storages_keep_what_they_were_given() -> None:
    run_config = KubernetesRun(image="python:3.11", cpu_limit=2)

    assert (run_config.image, run_config.cpu_limit) == ("python:3.11", 2)
    assert repr(S3("bucket", key="k")) == "S3('bucket', key='k')"
    with pytest.raises(AttributeError, match="made without 'memory_limit'"):
        run_config.memory_limit
    assert pickle.loads(pickle.dumps(run_config)).image == "python:3.11"


def test_settings_may_be_written_without_any_effect() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prefect.config.flows.checkpointing = True

    assert prefect.config.flows.checkpointing is True
    del prefect.config.flows.checkpointing


def test_errors_can_be_let_out() -> None:
    with Flow("f") as flow:
        task(lambda: 1 / 0)()

    with pytest.raises(ZeroDivisionError), raise_on_exception():
        flow.run()


def test_a_flow_of_the_shim_is_one_of_ours_and_copies_to_itself() -> None:
    import notebook_flows

    with Flow("f") as flow:
        task(lambda: 1)()

    assert isinstance(flow, notebook_flows.Flow)
    assert type(flow.copy()) is Flow
    assert flow.copy() == flow
    assert not hasattr(flow, "environment")
