"""Lines of `%flow` that are not quite right: one sentence, no traceback, and nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows.magics.completion import completions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def notebook(say: Callable[[str], str]) -> Callable[[str], str]:
    """Two tasks, one with a name of two words, and a flow."""
    say("# parameters\nn: int = 3")
    say("%%task load\nrows = list(range(n))")
    say("%%task 'the total'\ntotal = sum(rows)")
    say("from notebook_flows import Flow\nf = Flow('my flow')")
    return say


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%flow run --only load; print(1)", "put it on a line of its own."),
        ("%flow run load ; 1", "What stands behind `;` is read as a part of this line: put it on a line of its own."),
        ("%flow show -o /nonexistent/x.svg", "%flow show -o /nonexistent/x.svg: No such file or directory."),
        ("%flow run load#x", "There is no task cell 'load#x'. Did you mean 'load'?"),
        ("%flow clear load nope", "There is no task cell 'nope'. Task cells: load, the total."),
        ("%flow logs laod", "There is no task and no run 'laod'. Did you mean 'load'?"),
        ("%flow resume -p", "Option '-p' requires an argument."),
    ],
)
def test_a_slip_is_told_in_a_sentence(notebook: Callable[[str], str], line: str, sentence: str) -> None:
    seen = notebook(line)

    assert sentence in seen
    assert len(seen.splitlines()) <= 2
    assert "Traceback" not in seen


@pytest.mark.parametrize("line", ["%flow run load;", "%flow run 'load' # don't", "%flow run  load  # all;"])
def test_a_semicolon_at_the_end_and_a_comment_mean_nothing(notebook: Callable[[str], str], line: str) -> None:
    assert "✓ 1 cell in " in notebook(line)


def test_what_cannot_be_cleared_leaves_the_others_as_they_are(notebook: Callable[[str], str]) -> None:
    notebook("%flow clear load nope")

    assert "✓ load       up to date" in notebook("%flow status")


def test_a_task_cell_that_runs_the_notebook_does_so_by_hand_only(notebook: Callable[[str], str], shell: Any) -> None:
    by_hand = notebook("%%task inside\n%flow run load\nz = 1")

    seen = notebook("%flow run inside")

    assert "✓ 1 cell in " in by_hand
    assert "inside: failed: FlowLineError: This line stands in a task cell that a run of this notebook executes" in seen
    assert shell.user_ns["z"] == 1


@pytest.mark.parametrize(
    "source",
    [
        "def again():\n    %flow run load\nagain()",
        "for _ in range(2):\n    %flow run load",
        "%flow run load\n%flow run load",
        "if True:\n    %flow run load\n    %flow run load",
    ],
)
def test_a_line_runs_wherever_it_stands(notebook: Callable[[str], str], source: str) -> None:
    seen = notebook(source)

    assert seen.count("✓ 1 cell in ") == (1 if "def" in source else 2)


def test_a_value_is_nothing(notebook: Callable[[str], str]) -> None:
    assert notebook("x = %flow run load\nprint(x)").endswith("None\n")


class Typed:
    """What stands before the cursor, cut as IPython cuts it."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.symbol = line[max(line.rfind(one) for one in " =\"'") + 1 :]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%flow help ru", ["run", "runs"]),
        ('%flow run "the t', ['total"']),
        ("%flow run 'the ", ["total'"]),
        ("%flow run 'my", ["my flow'"]),
        ("%flow run --only=lo", ["load"]),
        ("%flow run --executor=pro", ["processes"]),
        ("%flow run load lo", []),
        ("%flow run --all --al", []),
        ("%flow resume -p ", ["n="]),
        ("%flow runs --sta", ["--state"]),
        ("%flow logs --fo", ["--follow"]),
        ("%flow artifacts lo", ["load"]),
        ("%flow mode eager ", []),
        ("%flow show -o ", []),
        ("%%task --retr", ["--retries", "--retry-delay"]),
        ("%%task x --executor ma", ["main"]),
        ("%%task x --needs lo", ["load"]),
    ],
)
def test_tab_knows_what_fits_there(notebook: Callable[[str], str], shell: Any, line: str, expected: list[str]) -> None:
    assert completions(shell, Typed(line)) == expected


def test_tab_knows_the_runs_of_the_notebook(
    notebook: Callable[[str], str], shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory")
    run_id = notebook("%flow run load").rpartition("(run ")[2][:8]

    assert completions(shell, Typed("%flow resume "))[0] == run_id
    assert completions(shell, Typed(f"%flow logs {run_id} lo")) == ["load"]


def test_a_value_that_refuses_to_tell_its_attributes_spoils_no_cell_and_no_run(say: Callable[[str], str]) -> None:
    say("class Proxy:\n    def __getattr__(self, name): raise RuntimeError('working outside of a context')")
    say("%%task makes\nproxy = Proxy()")

    by_hand = say("%%task uses\nkept = [proxy]\nprint('used')")
    run = say("%flow run --all")

    assert "used" in by_hand
    assert "used" in run
    assert "working outside" not in by_hand + run
    assert "✓ 2 cells in " in run
