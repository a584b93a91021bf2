"""``--html``: the executed notebook as a page to read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.notebook.saving import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def write_report(notebook: Path, target: Path, *, hides_input: bool) -> dict[str, str]:
    """Write it; a report that cannot be written fails nothing, and is told.

    Returns:
        {"Report": where it is}, or nothing.
    """
    try:
        page = page_of(notebook, hides_input=hides_input)
        write_whole(target, [page.encode("utf-8", "replace")])
    except (FlowError, OSError, ValueError, LookupError) as error:
        print(f"Warning: There is no report: {error}", file=sys.stderr)
        return {}
    return {"Report": str(target)}


def page_of(notebook: Path, *, hides_input: bool) -> str:
    """The notebook as HTML."""
    import warnings

    import nbformat
    from nbconvert import HTMLExporter

    from notebook_flows.notebook.reading import read_notebook

    known = read_notebook(notebook)
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call] # nbconvert has types in places only
        exclude_input=hides_input, exclude_input_prompt=hides_input, exclude_output_prompt=hides_input
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own, about its templates, help nobody here
        page, _ = exporter.from_notebook_node(
            nbformat.from_dict(known), resources={"metadata": {"name": notebook.stem}}
        )
    return str(page)
