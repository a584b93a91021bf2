"""Going on with a run: what it has recorded, with the results that are needed, is not run again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from counted import count, counted

from notebook_flows import Flow, Parameter, task
from notebook_flows.core import signals
from notebook_flows.core.resource import resource_manager
from notebook_flows.core.secret import Secret
from notebook_flows.errors import FlowError, NoSuchRun, ParameterError
from notebook_flows.workspace import event_log
from notebook_flows.workspace.resuming import ResumeError

pytestmark = pytest.mark.usefixtures("history")


@task
def load(n):
    count("load")
    return list(range(n))


@task
def double(x):
    count(f"double {x}")
    return 2 * x


@task
def gate(x):
    count("gate")
    if not Path("gate").exists():
        raise ValueError("closed")
    return x


@task
def add(x, y):
    count("add")
    return sum(x) + len(y)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened() -> None:
    Path("gate").touch()


def etl() -> tuple[Flow, Any]:
    with Flow("etl") as flow:
        values = load(Parameter("n", default=3))
        end = add(double.map(values), gate(values))
    return flow, end


@pytest.mark.parametrize("executor", ["local", "threads:2", "processes:2"])
def test_after_a_failure_only_what_failed_and_what_comes_after_it_runs(executor: str, history: str) -> None:
    flow, end = etl()
    if history == "memory" and executor.startswith("processes"):
        executor = "local"
    failed = flow.run(executor=executor, keep_results=True, n=4)
    counted()
    opened()

    state = flow.run(executor=executor, resume=failed.context["flow_run_id"])

    assert counted() == {"gate": 1, "add": 1}
    assert state.is_successful()
    assert state.result[end].result == 12 + 4


def test_children_that_have_ended_are_not_run_again() -> None:
    @task
    def picky(x):
        count(f"picky {x}")
        if x == 2 and not Path("gate").exists():
            raise ValueError(x)
        return x

    with Flow("children") as flow:
        end = add(picky.map(load(4)), [])
    flow.run(keep_results=True)
    counted()
    opened()

    state = flow.run(resume="latest")

    assert counted() == {"picky 2": 1, "add": 1}
    assert state.result[end].result == 6


def test_a_run_that_was_gone_on_with_can_be_gone_on_with() -> None:
    flow, end = etl()
    flow.run(keep_results=True)
    flow.run(resume="latest")
    counted()
    opened()

    flow.run(resume="latest")
    again = flow.run(resume="latest")

    assert counted() == {"gate": 1, "add": 1}
    assert again.result[end].result == 9


def test_a_changed_task_runs_and_what_gets_another_result_after_it() -> None:
    def flow(body: str) -> Flow:
        names: dict[str, Any] = {"count": count}
        exec(f"def middle(x):\n    count('middle')\n    return {body}", names)
        with Flow("changed") as made:
            add(task(names["middle"])(load(3)), gate(load(2)))
        return made

    flow("x").run(keep_results=True)
    counted()

    flow("list(x)").run(resume="latest")
    same = counted()
    flow("x + x").run(resume="latest")

    assert same == {"middle": 1, "gate": 1}  # add never ran
    assert counted() == {"middle": 1, "gate": 1}


def test_a_changed_task_that_gives_the_same_makes_nothing_run_after_it() -> None:
    def flow(body: str) -> Flow:
        names: dict[str, Any] = {"count": count}
        exec(f"def middle(x):\n    count('middle')\n    return {body}", names)
        with Flow("changed") as made:
            add(task(names["middle"])(load(3)), [])
        return made

    flow("x").run(keep_results=True)
    counted()

    flow("list(x)").run(resume="latest")
    same = counted()
    flow("x + x").run(resume="latest")

    assert same == {"middle": 1}
    assert counted() == {"middle": 1, "add": 1}


def test_another_parameter_runs_what_it_reaches() -> None:
    flow, end = etl()
    opened()
    flow.run(keep_results=True)
    counted()

    state = flow.run(resume="latest", n=4)

    assert counted() == {"load": 1, "double 3": 1, "gate": 1, "add": 1}
    assert state.result[end].result == 16


def test_a_result_that_cannot_be_kept_is_made_again_only_if_it_is_needed() -> None:
    @task
    def make_lock():
        count("lock")
        return threading.Lock()

    @task
    def use(lock):
        count("use")
        return lock.acquire()

    with Flow("locks") as flow:
        lock = make_lock()
        use(lock)
        gate(1)
    flow.run(keep_results=True)
    counted()

    flow.run(resume="latest")
    not_needed = counted()
    with flow:
        gate(use(lock))
    flow.run(resume="latest")

    assert not_needed == {"gate": 1}
    assert counted()["lock"] == 1


def test_a_task_that_skipped_itself_is_not_run_again() -> None:
    @task
    def skips():
        count("skips")
        raise signals.SKIP("nothing to do")

    with Flow("skips") as flow:
        skipped = skips()
        after = double(skipped)
        gate(1)
    flow.run(keep_results=True)
    counted()

    state = flow.run(resume="latest")

    assert counted() == {"gate": 1}
    assert state.result[skipped].is_skipped()
    assert state.result[after].is_skipped()


WITHOUT_A_RESULT = {
    "cannot be kept": "def made():\n    count('made')\n    return Lock(), {}",
    "skips itself": "def made():\n    count('made')\n    raise SKIP('{}')",
    "gets the context": "def made(context):\n    count('made')\n    return {}",
    "holds a secret": "def made():\n    count('made')\n    return 'a-secret-word', {}",
}


@pytest.mark.parametrize("case", WITHOUT_A_RESULT)
def test_a_task_that_has_left_no_result_runs_again_once_its_code_is_another_one(case: str) -> None:
    def flow(number: int) -> Flow:
        names: dict[str, Any] = {"count": count, "Lock": threading.Lock, "SKIP": signals.SKIP}
        exec(WITHOUT_A_RESULT[case].format(number), names)
        with Flow("edited") as built:
            end = gate(1, task_args={"skip_on_upstream_skip": False})
            end.set_upstream(task(names["made"])())
            gate(Parameter("password", default=Secret("a-secret-word")))
        return built

    secret = {"password": Secret("a-secret-word")}
    flow(1).run(keep_results=True, **secret)
    assert counted()["made"] == 1

    for number, times in ((1, 0), (1, 0), (2, 1), (2, 0)):
        flow(number).run(resume="latest", **secret)
        assert counted().get("made", 0) == times


def test_a_task_that_was_cached_in_a_run_runs_when_that_is_gone_on_with_and_its_code_is_another_one() -> None:
    def flow(number: int) -> tuple[Flow, Any]:
        names: dict[str, Any] = {"count": count}
        exec(f"def made():\n    count('made')\n    return {number}", names)
        with Flow("edited") as built:
            end = gate(task(cache=True)(names["made"])())
        return built, end

    flow(1)[0].run(keep_results=True)
    flow(1)[0].run(keep_results=True)
    assert counted() == {"made": 1, "gate": 2}
    opened()

    edited, end = flow(2)
    state = edited.run(resume="latest")

    assert counted() == {"made": 1, "gate": 1}
    assert state.result[end].result == 2


def test_what_an_edited_task_needs_is_made_again_though_the_task_was_cached() -> None:
    def flow(number: int) -> tuple[Flow, Any]:
        names: dict[str, Any] = {"count": count, "Lock": threading.Lock}
        exec("def lock():\n    count('lock')\n    return Lock()", names)
        exec(f"def made(lock=None):\n    count('made')\n    return {number}", names)
        with Flow("edited") as built:
            made = task(cache=True)(names["made"])()
            end = gate(made)
            made.set_upstream(task(names["lock"])(), key="lock")
        return built, end

    flow(1)[0].run(keep_results=True)
    flow(1)[0].run(resume="latest")
    opened()
    edited, end = flow(2)
    counted()

    state = edited.run(resume="latest")

    assert counted() == {"lock": 1, "made": 1, "gate": 1}
    assert state.result[end].result == 2


def test_resources_are_set_up_again_and_their_users_are_not_run_again() -> None:
    @resource_manager
    class Connection:
        def setup(self) -> Any:
            count("setup")
            return threading.Lock()

        def cleanup(self, resource: Any) -> None:
            count("cleanup")

    @task
    def uses(connection):
        count("uses")
        return 1

    with Flow("resources") as flow:
        with Connection() as connection:
            uses(connection)
        gate(1)
    flow.run(keep_results=True)
    counted()

    flow.run(resume="latest")

    assert counted() == {"setup": 1, "cleanup": 1, "gate": 1}


def test_a_crashed_run_is_gone_on_with() -> None:
    flow, end = etl()
    opened()

    def crash(_run: Any, events: Any) -> None:
        if any(event.node >= 0 and event.index == 1 for event in events):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow.run(keep_results=True, observers=[crash])
    before = counted()

    state = flow.run(resume="latest")

    after = counted()
    assert state.result[end].result == 9
    assert {**before, **after}.keys() == {"load", "double 0", "double 1", "double 2", "gate", "add"}
    assert "load" not in after


def test_a_secret_is_asked_for_again() -> None:
    @task
    def uses(password):
        count("uses")
        return len(password.get())

    with Flow("secret") as flow:
        uses(Parameter("password", default=Secret("")))
        gate(1)
    flow.run(keep_results=True, password=Secret("canary"))
    counted()

    with pytest.raises(ParameterError, match="password. Give them again"):
        flow.run(resume="latest")
    flow.run(resume="latest", password=Secret("canary"))

    assert counted() == {"gate": 1}


def test_a_run_without_results_is_gone_on_with_as_far_as_nobody_needs_them() -> None:
    with Flow("few") as flow:
        first, second = double(1), double(2)
        gate(1, upstream_tasks=[first, second])
    flow.run()
    counted()
    opened()

    state = flow.run(resume="latest")

    assert counted() == {"gate": 1}
    assert state.is_successful()
    with pytest.raises(FlowError, match="was not kept"):
        _ = state.result[first].result


@pytest.mark.parametrize(
    ("resume", "error", "sentence"),
    [
        ("nothing-like-it", NoSuchRun, "There is no run 'nothing-like-it'"),
        ("latest", ResumeError, "Flow 'none' has no run to go on with"),
    ],
)
def test_a_run_that_is_not_there_is_told(resume: str, error: type[Exception], sentence: str) -> None:
    with Flow("none") as flow:
        double(1)

    with pytest.raises(error, match=sentence):
        flow.run(resume=resume)


def test_a_run_of_another_flow_is_refused() -> None:
    with Flow("one") as one:
        double(1)
    with Flow("other") as other:
        double(1)
    state = one.run(keep_results=True)

    with pytest.raises(ResumeError, match="is one of flow 'one', and this flow is 'other'"):
        other.run(resume=state.context["flow_run_id"])


def test_results_are_not_kept_unless_asked() -> None:
    with Flow("few") as flow:
        double(1)
    state = flow.run()

    rows = event_log().task_runs(state.context["flow_run_id"])

    assert [row.result for row in rows] == [None]


def test_without_a_history_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    with Flow("off") as flow:
        double(1)

    with pytest.raises(FlowError, match="switched off"):
        flow.run(keep_results=True)
    with pytest.raises(FlowError, match="switched off"):
        flow.run(resume="latest")
