"""What the examples say is so: their results, and the commands that stand in their text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from example_folder import EXAMPLES, Executed

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.handback import values_in
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from example_folder import Folder

FENCED = re.compile(r"^```\n(notebook-flows run .*)\n```$", re.MULTILINE)


def commands() -> list[Any]:
    """Every command of its own lines in the text of an example."""
    found = []
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        text = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
        found += [pytest.param(line, id=path.stem) for source in text for line in FENCED.findall(source)]
    return found


def handed_back(path: Path) -> Mapping[str, Any]:
    return values_in(nbformat.read(path, 4), str(path), unpickles=True)


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_text_does_what_it_says(line: str, folder: Folder) -> None:
    done = folder.command(line)

    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stderr


def test_there_are_commands_in_the_text() -> None:
    assert len(commands()) >= 4


# -- the flow of weather stations ------------------------------------------------------------------------------------------


def test_the_model_with_seasons_finds_the_warming_and_yearly_means_do_not(folder: Folder) -> None:
    done, executed = folder.run("weather_stations")

    assert done.output_path is not None
    values = handed_back(done.output_path)
    assert values["better"] == "seasons"
    assert abs(values["missed"]["seasons"]) < 0.1
    assert values["missed"]["yearly means"] < -1
    assert "**seasons** comes closer" in executed.cells["report"].outputs[0].data["text/markdown"]


def test_its_flow_is_drawn_as_it_ran_and_nothing_runs_twice(folder: Folder) -> None:
    _done, executed = folder.run("weather_stations")

    picture = executed.text("show")
    assert picture.startswith("Flow 'weather_stations': 8 tasks, 8 success")
    assert executed.text("run") == "All 8 tasks are up to date; `--all` runs them again.\n"
    assert "comparison (task)" in executed.text("explain")
    assert "'comparison' reads north, which 'clean north' binds" in executed.text("explain")


def test_each_output_of_its_tasks_stands_below_its_own_cell(folder: Folder) -> None:
    _done, executed = folder.run("weather_stations")

    for region in ("north", "coast", "mountains"):
        assert executed.text(f"clean-{region}").count("are missing") == 1
    assert [output.output_type for output in executed.cells["plot"].outputs] == ["display_data"]
    assert "image/png" in executed.cells["plot"].outputs[0].data


def test_what_depends_on_a_failed_task_does_not_run(folder: Folder) -> None:
    done = run_notebook(
        folder.path / "weather_stations.ipynb", parameters={"years": 3}, output=folder.path / "failed.ipynb"
    )

    states = {cell.name: cell.state for cell in done.cells}
    assert "years is 3; a trend needs at least 4 of them." in str(done.error)
    assert states["load"] is S.FAILED
    assert states["clean coast"] is states["seasons"] is states["report"] is S.NOT_RUN
    assert states["13 %flow show"] is S.SUCCESS  # a failure is drawn as well


# -- the grid, and the notebook of notebooks -------------------------------------------------------------------------------


def test_a_grid_leaves_a_notebook_for_each_combination(folder: Folder) -> None:
    (line,) = (one.values[0] for one in commands() if one.id == "bread_forecast")

    done = folder.command(line)

    assert "6 success" in done.stderr
    found = [handed_back(path) for path in sorted((folder.path / "bread").glob("*.ipynb"))]
    assert {(one["alpha"], one["horizon"]) for one in found} == {(a, h) for a in (0.02, 0.15, 0.8) for h in (1, 14)}
    errors = {(one["alpha"], one["horizon"]): one["error"] for one in found}
    assert errors[0.15, 1] == min(errors.values())  # not so slow as to sleep, not so fast as to believe each whim


def test_the_best_of_the_runs_is_found_and_their_notebooks_are_kept(folder: Folder) -> None:
    done, executed = folder.run("compare_forecasts")

    assert done.output_path is not None
    values = handed_back(done.output_path)
    assert values["best"] == 0.15
    assert set(values["errors"]) == {0.02, 0.15, 0.8}
    assert values["errors"][0.15] == min(values["errors"].values())
    kept = sorted((folder.path / "notebook-outputs").glob("bread_forecast-0.*.ipynb"))
    assert {handed_back(path)["alpha"] for path in kept} == set(values["errors"])
    assert all(Executed(path).has("image/png") for path in kept)
    assert "3 success" in executed.text("run")


# -- the first flow --------------------------------------------------------------------------------------------------------


def test_the_first_flow_gives_what_its_functions_give(folder: Folder) -> None:
    _done, executed = folder.run("first_flow")

    assert executed.text("run").endswith("45.0 euros\n")
    assert executed.text("again").endswith("17.5 euros on the next day\n")
    assert "tidy_up" in executed.text("picture")
    assert "7 tasks, 7 success" in executed.text("picture")


def test_its_mistakes_are_told_at_once(folder: Folder) -> None:
    _done, executed = folder.run("first_flow")

    told = executed.text("mistakes")
    assert "for 2 reasons" in told
    assert "Did you mean 'extract_data'?" in told
    assert "preprocess_data → transform_data → preprocess_data" in told
