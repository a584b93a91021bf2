"""Headless runs of notebooks that go on with an earlier one: what is recorded does not run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import UNCACHED, WRITES, broken_meanwhile, outputs, states, write
from counted import counted

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook
from notebook_flows.workspace.resuming import ResumeError

if TYPE_CHECKING:
    from pathlib import Path


def test_after_a_failure_only_what_is_left_runs_and_what_that_needs(folder: Path) -> None:
    path = write(folder, UNCACHED)
    with broken_meanwhile(folder):
        first = run_notebook(path)
    assert first.state is S.FAILED

    second = run_notebook(path, resume="latest")

    assert second.is_successful
    assert counted() == {"plain": 1, "report": 1}
    assert states(second)["load"] == "CACHED From run"
    assert outputs(second.output_path, "load") == ["loaded 3\n", "[0, 1, 2]"]
    assert outputs(second.output_path, "end") == ["largest 4\n"]
    assert "'1 %load_ext" not in " ".join(second.notes)
    assert any("count('plain')" in note and "run again" in note for note in second.notes)


def test_a_run_that_was_gone_on_with_can_be_gone_on_with(folder: Path) -> None:
    path = write(folder, UNCACHED)
    with broken_meanwhile(folder):
        run_notebook(path)
        run_notebook(path, resume="latest")

    last = run_notebook(path, resume="latest")

    assert last.is_successful
    assert counted() == {"plain": 1, "report": 1}


def test_nothing_runs_of_a_run_that_ended_well(folder: Path) -> None:
    path = write(folder, UNCACHED)
    first = run_notebook(path)
    counted()

    second = run_notebook(path, resume=first.run_id[:8])

    assert second.is_successful
    assert counted() == {}
    assert outputs(second.output_path, "end") == ["largest 4\n"]


@pytest.mark.parametrize(
    ("edits", "runs"),
    [
        ({"report": UNCACHED["report"] + "\n1"}, {"plain", "report"}),
        (
            {"double": UNCACHED["double"].replace("doubled(rows)", "doubled(rows) + [9]")},
            {"double", "plain", "report", "end"},
        ),
        (
            {"double": UNCACHED["double"].replace("doubled(rows)", "doubled(list(rows))")},
            {"double", "plain", "end"},
        ),
        ({"setup": UNCACHED["setup"] + "\n# a comment"}, set()),
        ({"end": UNCACHED["end"] + "\nprint('more')"}, {"plain", "end"}),
    ],
)
def test_a_cell_that_was_edited_runs_with_what_takes_its_values(
    folder: Path, edits: dict[str, str], runs: set[str]
) -> None:
    run_notebook(write(folder, UNCACHED))
    counted()

    done = run_notebook(write(folder, UNCACHED, **edits), resume="latest")

    assert done.is_successful
    assert counted().keys() - {"setup"} == runs


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_task_runs_again_if_a_file_that_it_wrote_is_gone(folder: Path, is_gone: bool) -> None:
    path = write(folder, WRITES)
    with broken_meanwhile(folder):
        run_notebook(path)
    if is_gone:
        (folder / "out.txt").unlink()

    done = run_notebook(path, resume="latest")

    assert done.is_successful
    assert counted() == {"report": 1, **({"write": 1} if is_gone else {})}
    assert ("'write': runs again, for 'out.txt', which it wrote, is gone." in " ".join(done.notes)) is is_gone


@pytest.mark.parametrize("is_changed", [True, False])
def test_a_task_runs_again_if_a_file_that_it_read_is_another_now(folder: Path, is_changed: bool) -> None:
    (folder / "in.txt").write_text("1")
    path = write(
        folder,
        {
            "ext": "%load_ext notebook_flows",
            "setup": "from counting import count, is_broken\nfrom pathlib import Path",
            "read": "%%task read\ncount('read')\nrows = Path('.'.join(['in', 'txt'])).read_text()",
            "report": "%%task report\ncount('report')\nassert not is_broken() and rows",
        },
    )
    with broken_meanwhile(folder):
        run_notebook(path)
    if is_changed:
        (folder / "in.txt").write_text("2")

    done = run_notebook(path, resume="latest")

    assert done.is_successful
    assert counted() == {"report": 1, **({"read": 1} if is_changed else {})}
    assert (
        "'read': runs again, for 'in.txt', which it read, is not what it was." in " ".join(done.notes)
    ) is is_changed


def test_the_parameters_are_those_of_the_run_unless_they_are_given(folder: Path) -> None:
    path = write(folder, UNCACHED)
    run_notebook(path, parameters={"n": 5})
    counted()

    same = run_notebook(path, resume="latest")
    nothing = counted()
    other = run_notebook(path, resume="latest", parameters={"n": 6})

    assert nothing == {}
    assert same.parameters == {"n": 5}
    assert other.parameters == {"n": 6}
    assert counted()["load"] == 1


def test_a_result_that_cannot_be_kept_is_made_again_only_if_it_is_needed(folder: Path) -> None:
    cells = {
        "setup": "from counting import count, is_broken\nimport threading",
        "lock": "%%task lock\ncount('lock')\nlock = threading.Lock()",
        "use": "%%task use\ncount('use')\nx = lock.locked()",
        "last": "%%task last\ncount('last')\nassert not is_broken()\ny = x",
    }
    path = write(folder, cells)
    with broken_meanwhile(folder):
        run_notebook(path)

    run_notebook(path, resume="latest")
    not_needed = counted()
    run_notebook(write(folder, cells, use=cells["use"] + "\nz = 1"), resume="latest")

    assert not_needed == {"last": 1}
    assert counted() == {"lock": 1, "use": 1, "last": 1}


def test_what_cannot_be_gone_on_with_is_told(folder: Path) -> None:
    path = write(folder, {"one": "x = 1"})
    with pytest.raises(ResumeError, match="Notebook 'work' has no run to go on with"):
        run_notebook(path, resume="latest")
    run_notebook(path)

    with pytest.raises(ResumeError, match="has no task cells, and the values of ordinary cells are not kept"):
        run_notebook(path, resume="latest")


def test_without_results_all_runs_again_that_is_needed(folder: Path) -> None:
    path = write(folder, UNCACHED)
    with broken_meanwhile(folder):
        run_notebook(path, keep_results=False)

    done = run_notebook(path, resume="latest")

    assert done.is_successful
    assert counted() == {"load": 1, "double": 1, "plain": 1, "report": 1}
