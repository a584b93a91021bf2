"""``--html``: the executed notebook as a page to read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from notebook_flows.errors import FlowError
from notebook_flows.notebook.names import address_of, named
from notebook_flows.notebook.saving import write_whole


class ReportError(FlowError, ValueError):
    """A page that would take the place of what is no page."""


def check_report(report: Path, source: str, output: Path) -> None:
    """See to it that a page takes neither the place of the notebook that is run, nor of the executed one, nor another's.

    Raises:
        ReportError: it would.
    """
    if _is_same(report, source):
        raise ReportError(
            f"--html {report} is the notebook to run; an input is never overwritten. Choose another name."
        )
    if _is_same(report, output):
        raise ReportError(f"--html {report} is where the executed notebook goes as well. Choose another name.")
    check_free(report)


def check_free(report: Path) -> None:
    """See to it that a page takes the place of another page only: a slip of the hand must not cost anybody a script.

    Raises:
        ReportError: there is some other file.
    """
    if report.exists() and not report.is_file():
        raise ReportError(f"--html {report} is no ordinary file; give the name of a file.")
    if report.is_file() and not _is_page(report):
        raise ReportError(
            f"--html {report} is there already, and is no page; it is not overwritten. Choose another name."
        )


def _is_page(path: Path) -> bool:
    """Whether a file that is there is a page, or may be taken for one: by its name, or because it is empty."""
    if path.suffix.lower() in {".html", ".htm", ".xhtml"}:
        return True
    with path.open("rb") as file:
        begin = file.read(64).lstrip()
    return not begin or begin.startswith(b"<")


def _is_same(one: str | Path, other: str | Path) -> bool:
    """Whether both names mean one file, that may not be there yet."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    first, second = Path(one), Path(other)
    return first.exists() and second.exists() and first.samefile(second)


def write_report(notebook: Path, target: Path, *, hides_input: bool, run_id: str | None = None) -> dict[str, str]:
    """Write it; a report that cannot be written fails nothing, and is told.

    Args:
        notebook: that was executed.
        target: where the page goes.
        hides_input: without the texts of the cells.
        run_id: of the run whose artifacts are listed at the end; None: none are.

    Returns:
        {"Report": where it is}, or nothing.
    """
    try:
        page = page_of(notebook, hides_input=hides_input)
        if run_id is not None:
            page = _with_artifacts(page, run_id)
        write_whole(target, [page.encode("utf-8", "replace")])
        if address_of(target) is not None:
            from notebook_flows.notebook.addresses import send

            send(target)
    except (FlowError, OSError, ValueError, LookupError) as error:
        print(f"Warning: There is no report: {error}", file=sys.stderr)
        return {}
    return {"Report": named(target)}


def _with_artifacts(page: str, run_id: str) -> str:
    from notebook_flows.cli.report_artifacts import with_artifacts

    try:
        return with_artifacts(page, run_id)
    except FlowError as error:  # the notebook can be read all the same
        print(f"Warning: The report lists no artifacts: {error}", file=sys.stderr)
        return page


def page_of(notebook: Path, *, hides_input: bool) -> str:
    """The notebook as HTML."""
    import warnings

    import nbformat
    from nbconvert import HTMLExporter

    from notebook_flows.notebook.reading import read_notebook

    known = read_notebook(notebook, keeps_marks=True)
    if hides_input:  # what is left of a cell without outputs is a gap
        known.cells = [cell for cell in known.cells if cell.cell_type != "code" or cell.outputs]
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call] # nbconvert has types in places only
        exclude_input=hides_input, exclude_input_prompt=hides_input, exclude_output_prompt=hides_input
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own, about its templates, help nobody here
        page, _ = exporter.from_notebook_node(
            nbformat.from_dict(known), resources={"metadata": {"name": notebook.stem}}
        )
    return str(page)
