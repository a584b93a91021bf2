"""Whole notebooks as tasks of a flow, in real kernels."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, Parameter, Secret, notebook_task, task
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import TaskCallError
from notebook_flows.notebook.stopping import StopSignal
from notebook_flows.notebooktask import NotebookResult, NotebookRunError
from notebook_flows.running import run_notebook
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]

DOUBLES = (
    ("n: int = 2", ["parameters"]),
    "from notebook_flows import return_value\nreturn_value(n * 2, pair=(n, n))",
    "if n == 7: raise ValueError('seven')",
)


def children_of(state: Any) -> list[Any]:
    return event_log().runs(parent=state.context["flow_run_id"], limit=None)


def test_its_result_has_the_values_the_output_and_the_run(write: Write) -> None:
    write(*DOUBLES)
    with Flow("around") as flow:
        n = Parameter("n", default=3)
        result = notebook_task("work.ipynb", output="out/{name}-{n}.ipynb")(n=n)
        told = task(lambda found: (found.value, found["pair"], list(found)))(result)

    state = flow.run()

    assert state.result[told].result == (6, (3, 3), ["return_value", "pair"])
    found = state.result[result].result
    assert isinstance(found, NotebookResult)
    assert found.output_path == Path("out/work-3.ipynb")
    [row] = children_of(state)
    assert (row.run_id, row.state, row.parent_run_id) == (found.run_id, S.SUCCESS, state.context["flow_run_id"])
    place = row.environment["parent_task"]
    assert (place["index"], place["attempt"]) == (-1, 1)
    assert event_log().run(state.context["flow_run_id"]).slugs[place["node"]] == flow.slugs[result]


def test_a_failure_carries_the_notebook_and_what_the_cell_raised(write: Write) -> None:
    write(*DOUBLES)
    with Flow("around") as flow:
        result = notebook_task("work.ipynb", {"n": 7})()

    error = flow.run().result[result].result

    assert isinstance(error, NotebookRunError)
    assert (error.state, error.reason) == (S.FAILED, "Cell 4 failed: ValueError: seven.")
    assert "----> 1 if n == 7: raise ValueError('seven')" in error.traceback
    assert error.output_path.is_file()
    assert error.notebook.cells[-1].outputs[0].ename == "ValueError"


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
def test_mapped_notebooks_run_side_by_side(write: Write, executor: str) -> None:
    write(*DOUBLES)
    with Flow("around") as flow:
        results = notebook_task("work.ipynb").map(n=[1, 2])
        told = task(lambda found: [one.value for one in found])(results)

    state = flow.run(executor=executor)

    assert state.result[told].result == [2, 4]
    places = [row.environment["parent_task"]["index"] for row in children_of(state)]
    assert sorted(places) == [0, 1]
    outputs = [one.output_path for one in state.result[results].result]
    assert len(set(outputs)) == 2
    assert {one.parent.name for one in outputs} == {"notebook-outputs"}


def test_two_notebooks_in_threads_leave_the_working_directory_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    cell = "import os\nfrom notebook_flows import return_value\nreturn_value(os.getcwd())"
    for folder in ("a", "b"):
        write(cell, name=f"{folder}/work.ipynb")
    with Flow("around") as flow:
        results = [notebook_task(f"{folder}/work.ipynb")() for folder in ("a", "b")]

    state = flow.run(executor="threads:2")

    assert [state.result[one].result.value for one in results] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert Path.cwd() == tmp_path


def test_it_is_tried_again_in_a_new_kernel(write: Write, tmp_path: Path) -> None:
    count = tmp_path / "count"
    write(f"with open({str(count)!r}, 'a') as file: file.write('x')", f"assert len(open({str(count)!r}).read()) > 1")
    with Flow("around") as flow:
        notebook_task("work.ipynb", max_retries=2, retry_delay=0)()

    state = flow.run()

    assert state.is_successful()
    assert sorted(row.state for row in children_of(state)) == [S.SUCCESS, S.FAILED]


def test_when_the_run_around_stops_the_notebook_stops_as_cancelled(write: Write, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    write(f"open({str(ready)!r}, 'w').close()\nimport time\nfor _ in range(600): time.sleep(0.1)", "print('never')")

    @task
    def stop(context: Any) -> None:
        while not ready.exists():
            threading.Event().wait(0.02)
        event_log().request(context.flow_run_id, "cancel", {"reason": "Enough."})

    with Flow("around") as flow:
        notebook_task("work.ipynb")()
        stop()
    others = set(threading.enumerate())
    state = flow.run(executor="threads:2")

    assert state.is_cancelled()
    for one in set(threading.enumerate()) - others:  # the run's own: those of other tests may stay
        one.join(10)
    [row] = children_of(state)
    assert row.state is S.CANCELLED


def test_a_run_can_be_stopped_from_another_thread(write: Write) -> None:
    stop = StopSignal()
    path = write("import time\nprint('on', flush=True)\nfor _ in range(600): time.sleep(0.1)", "print('never')")

    done = run_notebook(path, stop=stop, on_output=lambda *_: stop.ask("Somebody has asked for it."))

    assert (done.state, done.error) == (S.CANCELLED, "Somebody has asked for it.")
    assert [cell.state for cell in done.cells] == [S.CANCELLED, S.NOT_RUN]


def test_a_result_of_a_task_belongs_into_the_call() -> None:
    with Flow("around"):
        day = Parameter("day")()
        with pytest.raises(TaskCallError, match="give it in the call: notebook_task\\('x.ipynb'\\)\\(day=\\.\\.\\.\\)"):
            notebook_task("x.ipynb", {"day": day})


def test_a_secret_is_nowhere_but_in_the_kernel(write: Write, tmp_path: Path) -> None:
    secret = "hunter2-and-more"
    path = write(
        ("from notebook_flows import Secret\ntoken: Secret\nword: str = ''", ["parameters"]),
        "print(token.get(), end='', flush=True)\nfor one in word: print(one, end='', flush=True)",
        "display({'text/html': word}, raw=True)\n{'a': [token.get()]}",
        "assert [type(token).__name__, type(word).__name__] == ['Secret', 'str']\nimport logging; logging.error(word)",
        "raise ValueError(f'{word} is wrong')",
    )

    done = run_notebook(path, parameters={"token": Secret(secret), "word": Secret(secret)})

    assert (done.state, done.error) == (S.FAILED, "Cell 6 failed: ValueError: *** is wrong")
    assert secret not in repr(done)
    assert secret not in str(done.exception.traceback)  # type: ignore[union-attr]
    event_log().close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_a_failing_command_fails_its_cell_where_the_shell_is_strict(write: Write) -> None:
    path = write("code = 3\n!exit {code}", "print(1)")

    assert run_notebook(path).is_successful
    assert run_notebook(path, strict_shell=True).error == (
        "Cell 1 failed: ShellCommandFailed: !exit 3 failed with exit code 3. Add `|| true` to it if that is no failure."
    )


def test_what_a_command_prints_is_kept_where_the_shell_is_strict(write: Write) -> None:
    path = write(
        "word = 'hello'\nlines = !echo {word} && echo $word", "assert lines == ['hello', 'hello'], lines", "!!false"
    )

    done = run_notebook(path, strict_shell=True)

    assert [cell.state for cell in done.cells] == [S.SUCCESS, S.SUCCESS, S.FAILED]


def test_a_flow_in_a_cell_knows_the_run_of_its_notebook(write: Write) -> None:
    path = write("from notebook_flows import Flow, task\nwith Flow('inner') as flow: task(lambda: 1)()\nflow.run()")

    done, silent = run_notebook(path), run_notebook(path, history=False)

    assert (done.is_successful, silent.is_successful) == (True, True)
    assert [(row.flow, row.parent_run_id) for row in event_log().runs()] == [
        ("inner", None),
        ("inner", done.run_id),
        ("work", None),
    ]
    assert [row.flow for row in event_log().runs(parent=done.run_id)] == ["inner"]
