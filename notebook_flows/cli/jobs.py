"""The runs of a grid, or of several notebooks: which there are, and what is wrong with any of them before one begins."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli.loading import shown
from notebook_flows.cli.notebook_run import output_file
from notebook_flows.cli.notebook_wishes import parameters_from
from notebook_flows.cli.report import check_free
from notebook_flows.errors import FlowError, ParameterError
from notebook_flows.outputname import OutputNameError, default_output, is_template, safe_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.cli.loading import Target
    from notebook_flows.cli.notebook_wishes import NotebookWishes


class Job(NamedTuple):
    """One run of one notebook.

    Attributes:
        path: as it is shown.
        name: tells it apart from the others.
        parameters: what it is given.
        output: where the executed notebook goes.
        kernel: the name of its kernel.
        report: where the HTML page goes; None: nowhere.
    """

    path: str
    name: str
    parameters: Mapping[str, Any]
    output: Path
    kernel: str
    report: Path | None


class BatchError(FlowError, ValueError):
    """Several runs that cannot be begun; tells of each what is wrong."""


def jobs_from(
    targets: Sequence[Target], grid: Sequence[Mapping[str, Any]], options: Sequence[str], more: NotebookWishes
) -> list[Job]:
    """The runs, each checked: whatever is wrong with any of them is told before one begins.

    Raises:
        BatchError: with all that is wrong.
    """
    names = _names(targets)
    jobs: list[Job] = []
    problems: dict[str, None] = {}
    for target, name in zip(targets, names, strict=True):
        given = parameters_from(target.path, options)
        for point in grid:
            twice = [one for one in point if one in given]
            if twice:
                raise ParameterError(f"Parameter {twice[0]!r} is given by -p and by --grid.")
            try:
                jobs.append(_job(shown(target.path), name, given, point, more))
            except FlowError as error:
                problems[str(error)] = None
    problems.update(dict.fromkeys(_clashes(jobs)))
    if problems:
        raise BatchError("\n".join(problems))
    for target, name in zip(targets, names, strict=True):
        _tell_oddities(shown(target.path), name, more.kernel)
    return jobs


def _tell_oddities(path: str, name: str, kernel: str | None) -> None:
    """What is odd in a notebook that can run, once for all its runs."""
    from notebook_flows.cli.screen import say_note
    from notebook_flows.notebook.oddities import NO_KERNEL
    from notebook_flows.notebook.reading import read_notebook

    oddities: list[str] = []
    read_notebook(path, oddities=oddities)
    for one in oddities:
        if kernel is None or one != NO_KERNEL:
            say_note(f"{name}: {one}")


def _names(targets: Sequence[Target]) -> list[str]:
    """What tells the notebooks apart: their names, or as much of their paths as it takes."""
    stems = [target.path.stem for target in targets]
    return [
        stem if stems.count(stem) == 1 else str(Path(shown(target.path)).with_suffix(""))
        for stem, target in zip(stems, targets, strict=True)
    ]


def _job(path: str, name: str, given: Mapping[str, Any], point: Mapping[str, Any], more: NotebookWishes) -> Job:
    from notebook_flows.notebook.kernel import chosen_kernel
    from notebook_flows.notebook.parameters import injected
    from notebook_flows.notebook.problems import checked_values
    from notebook_flows.notebook.reading import read_notebook
    from notebook_flows.running import output_path_for

    notebook = read_notebook(path)
    values = checked_values(notebook, {**given, **point}, path)
    kernel = chosen_kernel(more.kernel, notebook, path)
    injected(notebook, values, kernel, path)
    told = " ".join(f"{key}={values.get(key, value)}" for key, value in point.items())
    template = _template(more.output, name, list(point))
    run_id = uuid.uuid4().hex  # of a file's name only; the run gets its own
    output = output_path_for(path, output_file(template, path, values, run_id))
    report = None if more.report is None else _report_of(more.report, output, path, values, run_id)
    return Job(path, f"{name} {told}".strip(), values, output, kernel, report)


def _template(output: str | None, name: str, axes: Sequence[str]) -> str:
    """The template for the outputs of several runs."""
    own = default_output("", axes).replace("{name}", safe_part(name).replace("{", "{{").replace("}", "}}"))
    if output is None:
        return own
    if is_template(output):
        return output
    if output.endswith("/") or Path(output).is_dir():
        return _inside(output, own)
    raise OutputNameError(
        f"--output {output} is one file, and there are several runs. Give a folder, or a template such as "
        "'out/{name}-{run_id}.ipynb'."
    )


def _inside(folder: str, template: str) -> str:
    """The template for a file in a folder, that is made if it is not there."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(Path(folder.replace("{", "{{").replace("}", "}}")) / template)


def _report_of(report: str, output: Path, path: str, values: Mapping[str, Any], run_id: str) -> Path:
    """Where the page of one of several runs goes; in a folder it is called as its executed notebook."""
    if not is_template(report) and not report.endswith("/") and not Path(report).is_dir():
        raise OutputNameError(
            f"--html {report} is one file, and there are several runs. Give a folder, or a template such as "
            "'out/{name}-{run_id}.html'."
        )
    named = output_file(report, path, values, run_id)
    assert named is not None
    page = named / f"{output.stem.removesuffix('-output')}.html" if named.is_dir() else named
    check_free(page)
    return page


def _clashes(jobs: Sequence[Job]) -> list[str]:
    """What would be written twice, or over a notebook that is to run."""
    sources = {os.path.realpath(job.path) for job in jobs}
    seen: dict[Path, str] = {}
    found = []
    for job in jobs:
        for file in filter(None, (job.output, job.report)):
            if os.path.realpath(file) in sources:
                found.append(f"{job.name} would be written to {file}, which is a notebook to run. Choose another name.")
            if file in seen:
                found.append(
                    f"{seen[file]} and {job.name} would both be written to {file}. Give a template with the names of "
                    "parameters that differ, or with {run_id}."
                )
            seen[file] = job.name
    return found
