"""Prefect 1's names are where Prefect 1 has them; the others say what to use instead."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import notebook_flows
from notebook_flows.errors import UnavailableError
from notebook_flows.prefect._missing import ADVICE, TASK_LIBRARY

OFFERED = {
    "": "Flow task Task Parameter case context unmapped mapped flatten tags apply_map resource_manager config",
    "core": "Edge Flow Parameter Task",
    "core.edge": "Edge",
    "core.flow": "Flow",
    "core.parameter": "DateTimeParameter Parameter no_default",
    "core.task": "FunctionTask Task",
    "engine": "cache_validators results serializers signals state",
    "engine.cache_validators": "all_inputs all_parameters duration_only never_use partial_inputs_only "
    "partial_parameters_only",
    "engine.executors": "DaskExecutor Executor LocalDaskExecutor LocalExecutor",
    "engine.results": "LocalResult PrefectResult",
    "engine.serializers": "CompressedSerializer DateTimeSerializer JSONSerializer PandasSerializer PickleSerializer",
    "engine.signals": "ENDRUN FAIL LOOP PAUSE PrefectStateSignal RETRY SKIP SUCCESS TRIGGERFAIL VALIDATIONFAIL "
    "signal_from_state",
    "engine.state": "Cached Cancelled Cancelling Failed Finished Looped Mapped Paused Pending Queued Resume Retrying "
    "Running Scheduled Skipped State Submitted Success TimedOut TriggerFailed ValidationFailed",
    "exceptions": "PrefectException TaskTimeoutSignal",
    "executors": "DaskExecutor Executor LocalDaskExecutor LocalExecutor",
    "run_configs": "DockerRun ECSRun KubernetesRun LocalRun RunConfig UniversalRun VertexRun",
    "schedules": "CronSchedule IntervalSchedule RRuleSchedule Schedule adjustments clocks filters",
    "schedules.adjustments": "add next_weekday",
    "schedules.clocks": "Clock CronClock DatesClock IntervalClock RRuleClock",
    "schedules.filters": "at_time between_dates between_datetimes between_times is_day_of_week is_month_end "
    "is_month_start is_weekday is_weekend on_date on_datetime",
    "schedules.schedules": "CronSchedule IntervalSchedule RRuleSchedule Schedule",
    "storage": "Azure Bitbucket CodeCommit Docker GCS Git GitHub GitLab Local Module S3 Storage Webhook",
    "tasks.control_flow": "FilterTask case ifelse merge switch",
    "tasks.control_flow.case": "case",
    "tasks.control_flow.conditional": "CompareValue Merge ifelse merge switch",
    "tasks.control_flow.filter": "FilterTask",
    "tasks.core.collections": "Dict List Set Tuple",
    "tasks.core.constants": "Constant",
    "tasks.core.function": "FunctionTask",
    "tasks.core.operators": "Add And Div Equal FloorDiv GetAttr GetItem GreaterThan GreaterThanOrEqual LessThan "
    "LessThanOrEqual Mod Mul Not NotEqual Or Pow Sub",
    "tasks.core.resource_manager": "resource_manager",
    "triggers": "all_failed all_finished all_successful always_run any_failed any_successful manual_only "
    "not_all_skipped some_failed some_successful",
    "utilities.context": "context",
    "utilities.debug": "raise_on_exception",
    "utilities.edges": "EdgeAnnotation flatten mapped unmapped",
    "utilities.logging": "get_logger",
    "utilities.notifications": "callback_factory",
    "utilities.tasks": "apply_map defaults_from_attrs pause_task tags task",
}
PLACES = [(path, name) for path, names in OFFERED.items() for name in names.split()]
OURS = {
    "task": notebook_flows.task,
    "Task": notebook_flows.Task,
    "Parameter": notebook_flows.Parameter,
    "case": notebook_flows.case,
    "merge": notebook_flows.merge,
    "context": notebook_flows.context,
    "unmapped": notebook_flows.unmapped,
}


def module_at(path: str) -> object:
    return import_module(f"notebook_flows.prefect.{path}".rstrip("."))


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_a_name_is_where_prefect_has_it(path: str, name: str) -> None:
    found = getattr(module_at(path), name)

    assert found is OURS.get(name, found)


@pytest.mark.parametrize("path", ["", "triggers", "engine.signals", "engine.state", "tasks.control_flow", "schedules"])
def test_a_star_import_brings_all_names(path: str) -> None:
    scope: dict[str, object] = {}

    exec(f"from notebook_flows.prefect.{path}".rstrip(".") + " import *", scope)

    assert set(OFFERED[path].split()) <= scope.keys()


def test_names_can_be_reached_by_attributes_alone() -> None:
    from notebook_flows import prefect

    assert issubclass(prefect.engine.signals.SKIP, BaseException)
    assert prefect.triggers.all_failed is notebook_flows.triggers.all_failed
    assert prefect.schedules.clocks.IntervalClock.__name__ == "IntervalClock"
    assert prefect.tasks.control_flow.case is notebook_flows.case
    assert prefect.utilities.tasks.task is notebook_flows.task


@pytest.mark.parametrize(
    "statement",
    [
        "from notebook_flows.prefect import Client",
        "import notebook_flows.prefect.client",
        "from notebook_flows.prefect.client import Secret",
        "from notebook_flows.prefect.tasks.prefect import create_flow_run, wait_for_flow_run",
        "from notebook_flows.prefect.tasks.shell import ShellTask",
        "from notebook_flows.prefect.tasks.secrets import PrefectSecret",
        "from notebook_flows.prefect.tasks.jupyter import ExecuteNotebook",
        "from notebook_flows.prefect.tasks.notifications import SlackTask",
        "from notebook_flows.prefect.backend import FlowRunView",
        "from notebook_flows.prefect.backend.artifacts import create_markdown_artifact",
        "from notebook_flows.prefect.artifacts import create_link",
        "from notebook_flows.prefect.engine.flow_runner import FlowRunner",
        "from notebook_flows.prefect.engine.results import S3Result",
        "from notebook_flows.prefect.engine.result import Result",
        "from notebook_flows.prefect.utilities.notifications import slack_notifier",
        "import notebook_flows.prefect; notebook_flows.prefect.Client",
        "import notebook_flows.prefect; notebook_flows.prefect.tasks.shell",
        "from notebook_flows.prefect.executors import DaskExecutor; DaskExecutor()",
        "from notebook_flows.prefect.executors import LocalDaskExecutor; LocalDaskExecutor(pool=5)",
        "from notebook_flows.prefect import Flow; Flow('f').register(project_name='p')",
        "from notebook_flows.prefect import Flow; Flow('f').run_agent()",
        "from notebook_flows.prefect import Flow; Flow('f').serialize()",
        "from notebook_flows.prefect import Flow; Flow('f').serialized_hash()",
        "from notebook_flows.prefect import Flow; Flow('f').save()",
        "from notebook_flows.prefect import Flow; Flow.load('f')",
        "from notebook_flows.prefect import config; config.flows.checkpointing",
        "from notebook_flows.prefect import config; config.home_dir",
    ],
)
def test_what_is_not_offered_says_what_to_use_instead(statement: str) -> None:
    with pytest.raises(
        UnavailableError, match=r"notebook_flows (does not offer|runs without).*Instead: .+\."
    ) as raised:
        exec(statement, {})

    assert isinstance(raised.value, NotImplementedError)


@pytest.mark.parametrize("folder", sorted(TASK_LIBRARY))
def test_every_folder_of_the_task_library_is_known(folder: str) -> None:
    with pytest.raises(UnavailableError, match=f"prefect.tasks.{folder}"):
        import_module(f"notebook_flows.prefect.tasks.{folder}")


@pytest.mark.parametrize("path", sorted(ADVICE))
def test_advice_is_a_sentence(path: str) -> None:
    assert ADVICE[path].endswith(".")
    assert ADVICE[path][0].islower()


@pytest.mark.parametrize("name", ["Flwo", "tsk", "Cliet"])
def test_a_slip_is_an_import_error_like_any_other(name: str) -> None:
    with pytest.raises(ImportError, match=name):
        exec(f"from notebook_flows.prefect import {name}", {})


def test_a_slip_tells_the_likely_name() -> None:
    from notebook_flows import prefect

    with pytest.raises(AttributeError, match="Did you mean 'Flow'"):
        prefect.Flwo


@pytest.mark.parametrize("module", ["nothing", "tasks.nothing", "engine.nothing"])
def test_a_module_that_prefect_has_not_either_is_not_found(module: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module(f"notebook_flows.prefect.{module}")


def test_the_import_brings_neither_engine_nor_schedules_nor_prefect() -> None:
    code = (
        "import sys; from notebook_flows.prefect import Flow, task, Parameter, case\n"
        "heavy = ('asyncio', 'sqlite3', 'cloudpickle', 'cronsim', 'pandas', 'prefect', 'notebook_flows.engine.loop')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.strip() == "[]"
