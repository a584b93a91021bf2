"""`%flow` in an IPython without a kernel, as in a terminal: what each line says, and each mistake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import load_ipython_extension, unload_ipython_extension
from notebook_flows.magics.completion import completions
from notebook_flows.magics.line import flow_line

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def notebook(say: Callable[[str], str]) -> Callable[[str], str]:
    """Three cells, two of them tasks."""
    say("# parameters\nn: int = 3  # how many")
    say("%%task load\nrows = list(range(n))\nprint('loading', n)")
    say("%%task 'the total'\ntotal = sum(rows)\ntotal")
    return say


# -- what is seen in a terminal ----------------------------------------------------------------------------------------


def test_a_run_prints_what_its_tasks_print_and_draws_no_picture(notebook: Callable[[str], str], shell: Any) -> None:
    seen = notebook("%flow run -p n=4")

    assert "load:\nloading 4\nthe total:\n6\n" in seen
    assert re.search(r"✓ 3 cells in .* \(run [0-9a-f]{8}\)\n", seen)
    assert "<svg" not in seen
    assert shell.user_ns["total"] == 6


def test_a_failure_is_a_sentence_below_the_traceback_of_its_cell(notebook: Callable[[str], str]) -> None:
    notebook("%%task bad\nquotient = total / (n - 3)")

    seen = notebook("%flow run bad")

    assert "ZeroDivisionError" in seen
    assert "✗ 1 failed in " in seen
    assert "✗ bad: failed: ZeroDivisionError: division by zero" in seen
    assert "notebook_flows/magics" not in seen


@pytest.mark.parametrize("line", ["%flow", "%flow status", "%nbflow status"])
def test_status_tells_what_is_up_to_date(notebook: Callable[[str], str], line: str) -> None:
    seen = notebook(line)

    assert seen == (
        "✓ load       up to date\n✓ the total  up to date\nOrder of the cells: the first execution. Mode: eager.\n"
    )


def test_without_tasks_it_says_how_to_make_one(say: Callable[[str], str]) -> None:
    assert say("%flow") == "No cell is a task yet: put `%%task` above one, and execute it.\n"
    assert "This notebook has no task cell yet: put `%%task` above a cell, and execute it." in say("%flow run")


def test_status_points_to_a_comment_that_may_be_meant_as_a_task_line(say: Callable[[str], str]) -> None:
    say("# %%task load the data\nx = 1")

    seen = say("%flow status")

    assert "is no task: '# %%task load the data' is read as a comment, for a name of several words" in seen


def test_show_draws_a_tree(notebook: Callable[[str], str]) -> None:
    assert "└─ ✓ the total" in notebook("%flow show")
    assert "1 parameters" in notebook("%flow show --cells")


def test_show_writes_a_file(notebook: Callable[[str], str], tmp_path: Any) -> None:
    seen = notebook(f"%flow show -o {tmp_path / 'flow.dot'}")

    assert seen.startswith("Written to ")
    assert "the total" in (tmp_path / "flow.dot").read_text()


def test_parameters_are_told_with_their_values(notebook: Callable[[str], str]) -> None:
    assert notebook("%flow params") == "n: int = 3  # how many\n"


def test_parameters_tell_what_was_given_and_that_later_runs_take_it(notebook: Callable[[str], str]) -> None:
    notebook("%flow run -p n=5")
    notebook("n = 9")

    seen = notebook("%flow params")

    assert re.fullmatch(
        r"n: int = 5  # how many\n"
        r"  given by `-p` to run [0-9a-f]{8}, where the cell says 3; later runs take it, too, until `-p` gives other "
        r"values or the cell is executed\n"
        r"  n is 9 in the kernel, from '5 n = 9'\n",
        seen,
    )


def test_a_result_is_the_output_and_what_was_bound(notebook: Callable[[str], str]) -> None:
    notebook("%flow run --all")

    seen = notebook('%flow result "the total"')

    assert re.fullmatch(r"the total: success, in run [0-9a-f]{8}\n3\ntotal = 3\n", seen)
    assert notebook("%flow result load").endswith("loading 3\nrows = [0, 1, 2]\n")


def test_a_result_says_that_the_task_has_failed_by_hand_since(notebook: Callable[[str], str]) -> None:
    notebook("%flow run load")
    notebook("%%task load\nrows = [1]\n1 / 0")

    seen = notebook("%flow result load")

    assert re.match(r"load: success, in run [0-9a-f]{8}\nIt was executed by hand since then, and failed: ", seen)


def test_the_error_of_a_task_that_was_mended_by_hand_since_is_no_result(notebook: Callable[[str], str]) -> None:
    notebook("%%task load\nrows = [len(1)]")
    notebook("%flow run load")
    notebook("%%task load\nrows = [1]")

    seen = notebook("%flow result load")

    assert re.fullmatch(
        r"load: failed, in run [0-9a-f]{8}\nIt was executed by hand since then, and went well: .*\nrows = \[1\]\n", seen
    )


def test_status_tells_that_a_task_takes_an_older_value_than_the_kernel_has(notebook: Callable[[str], str]) -> None:
    notebook("n = 20")

    seen = notebook("%flow status")

    assert "  n is 20 in the kernel, from '4 n = 20'; 'load' takes the one from '1 parameters'.\n" in seen


def test_status_tells_large_values_by_their_kind_and_size(notebook: Callable[[str], str]) -> None:
    notebook("import pandas\nn = pandas.DataFrame({'a': range(195), 'b': 'x'})")

    seen = notebook("%flow status")

    assert "  n is a DataFrame of 195 rows and 2 columns in the kernel, from '" in seen
    assert seen.count("DataFrame of") == 1


def test_one_task_is_told_as_one(say: Callable[[str], str]) -> None:
    say("%%task only\nx = 1")

    assert say("%flow run") == "The only task is up to date; `--all` runs it again.\n"


def test_explain_tells_why_a_task_waits(notebook: Callable[[str], str]) -> None:
    seen = notebook('%flow explain "the total"')

    assert "reads     rows (from load)" in seen
    assert "'the total' reads rows, which 'load' binds" in seen


def test_what_is_wrong_with_the_notebook_is_told_at_once(notebook: Callable[[str], str]) -> None:
    assert "All is well: 2 task cells" in notebook("%flow validate")
    notebook("%%task lost --needs laod\nz = unknown_name")

    seen = notebook("%flow validate")

    assert "Task 'lost' waits for 'laod', which is no task above it. Did you mean 'load'?" in seen
    assert "Cell 'lost' reads unknown_name, which no cell above binds." in seen


def test_a_name_that_only_a_cell_below_binds_is_a_problem_though_the_kernel_has_it(
    notebook: Callable[[str], str],
) -> None:
    notebook("%%task early\nearly = late")
    notebook("late = 1")

    seen = notebook("%flow validate")

    assert "Cell 'early' reads late, which no cell above binds. Cell '5 late = 1', below, does: move it up." in seen


def test_clear_makes_tasks_run_again(notebook: Callable[[str], str]) -> None:
    assert notebook("%flow clear load") == "load will run again.\n"
    assert "✓ 2 cells in" in notebook("%flow run")


def test_the_mode_is_told_and_set(notebook: Callable[[str], str]) -> None:
    assert notebook("%flow mode").startswith("eager: ")
    assert notebook("%flow mode lazy").startswith("lazy: ")
    assert "Mode: lazy: a task cell is registered when it is executed; it runs before a cell" in notebook(
        "%flow status"
    )
    assert "Task 'load' is registered" in notebook("%%task load\nrows = [1]")


# -- flows that cells have made ----------------------------------------------------------------------------------------

ETL = """
from notebook_flows import Flow, Parameter, task
@task
def increased(x):
    return 10 // x
with Flow("daily") as etl:
    result = increased(Parameter("p", default=1))
"""


def test_a_flow_object_runs_by_its_variable_and_by_its_name(notebook: Callable[[str], str]) -> None:
    notebook(ETL)

    assert "✓ Flow 'daily': success in" in notebook("%flow run etl -p p=5")
    assert "✓ Flow 'daily': success in" in notebook("%flow run daily")
    assert "increased" in notebook("%flow show etl")
    assert notebook("%flow validate etl") == "Flow 'daily' is well: 2 tasks.\n"
    assert "etl: Flow 'daily' of 2 tasks" in notebook("%flow status")


def test_a_flow_object_that_fails_says_where(notebook: Callable[[str], str]) -> None:
    notebook(ETL)

    seen = notebook("%flow run etl -p p=0")

    assert "✗ Flow 'daily': failed in" in seen
    assert "✗ increased: ZeroDivisionError" in seen


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%flow rnu", "%flow rnu: There is no `%flow rnu`. Did you mean 'run'? `%flow --help` lists all."),
        ("%flow run laod", "There is no task cell 'laod'. Did you mean 'load'?"),
        ("%flow run --form load", "%flow run --form load: No such option '--form'. Did you mean '--from'?"),
        ("%flow run --from nothing", "There is no task cell 'nothing'."),
        ("%flow run --all load", "--all and names say different things about what to run: give one of them."),
        ("%flow run --only load --from load", "--from and --only say different things about what to run"),
        ('%flow run "load', '%flow run "load: it cannot be cut into words: no closing quotation.'),
        ("%flow run -j 0", "%flow run -j 0: Invalid value for '-j' / '--workers': 0 is not in the range x>=1."),
        ("%flow run -x treads", "'treads' is not one of 'threads', 'processes', 'main'."),
        ("%flow result load", "'load' has not run in a flow in this kernel"),
        ("%flow result nothing", "There is no task cell 'nothing'. Task cells: load, the total."),
        ("%flow show nothing", "There is no Flow 'nothing'."),
        ("%flow resume nothing", "There is no run 'nothing'."),
        (
            "%flow run --background",
            "A run in the background needs a kernel, whose event loop goes on: leave out --background.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_without_a_traceback(
    notebook: Callable[[str], str], line: str, sentence: str
) -> None:
    if "--background" in line:
        notebook("%flow clear")

    seen = notebook(line)

    assert sentence in seen
    assert "Traceback" not in seen
    assert "File " not in seen


def test_two_tasks_of_one_name_cannot_be_asked_for(notebook: Callable[[str], str]) -> None:
    notebook("%%task\n# the total\na = 1")

    seen = notebook('%flow run "the total"')

    assert "2 task cells are called 'the total': give them names of their own." in seen


# -- help, Tab, and others' magics -------------------------------------------------------------------------------------


def test_help_lists_all_commands(say: Callable[[str], str]) -> None:
    seen = say("%flow --help")

    assert all(name in seen for name in flow_line.commands)
    assert "..." not in seen.partition("Commands:")[2]
    assert "--background" in say("%flow run --help")
    assert "--background" in say("%flow help run")


class Typed:
    """What stands before the cursor."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.symbol = "" if line.endswith(" ") else line.rsplit(maxsplit=1)[-1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%flow r", {"run", "result", "runs", "resume"}),
        ("%nbflow expl", {"explain"}),
        ("%flow run l", {"load"}),
        ("%flow run --from ", {"load", '"the total"'}),
        ("%flow run --exec", {"--executor"}),
        ("%flow run --executor p", {"processes"}),
        ("%flow run -p ", {"n="}),
        ("%flow mode ", {"eager", "lazy"}),
    ],
)
def test_tab_knows_what_may_come(notebook: Callable[[str], str], shell: Any, line: str, expected: set[str]) -> None:
    found = set(completions(shell, Typed(line)))

    assert expected <= found
    assert all(one.startswith(Typed(line).symbol) for one in found)


def test_where_another_flow_is_loaded_only_the_long_name_is_ours(shell: Any, say: Callable[[str], str]) -> None:
    unload_ipython_extension(shell)
    shell.register_magic_function(lambda line: print("theirs", line), "line", "flow")

    with pytest.warns(UserWarning, match="Another extension has `%flow`"):
        load_ipython_extension(shell)

    assert say("%flow status") == "theirs status\n"
    assert "No cell is a task yet" in say("%nbflow status")
    unload_ipython_extension(shell)
    assert say("%flow status") == "theirs status\n"


def test_nothing_is_left_when_it_is_unloaded(shell: Any, say: Callable[[str], str]) -> None:
    before = set(shell.magics_manager.magics["line"])

    unload_ipython_extension(shell)

    gone = before - set(shell.magics_manager.magics["line"])
    assert gone >= {"flow", "nbflow"}
    assert not any("nbflow" in name for name in shell.magics_manager.magics["line"])
    assert not any(one.__module__.startswith("notebook_flows") for one in shell.input_transformers_post)
    load_ipython_extension(shell)
    assert "No cell is a task yet" in say("%flow")


def test_loading_twice_is_loading_once(shell: Any, say: Callable[[str], str]) -> None:
    load_ipython_extension(shell)

    assert "✓ 1 cell in" in (say("%%task one\nx = 1") + say("%flow run --all"))
