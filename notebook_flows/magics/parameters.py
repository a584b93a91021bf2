"""``%flow run -p`` and ``%flow params``: the parameters of the notebook that is open, typed as headless runs type them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.cli.values import from_json, given_from
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.notebook.kinds import Text
from notebook_flows.notebook.parameters import TAG, declared_by, given_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.magics.here import Here
    from notebook_flows.notebook.parameters import NotebookParameter


def values_for_notebook(here: Here, given: Sequence[str], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values that ``-p name=value`` options give, each made to fit the type that the parameters cell declares.

    Args:
        here: the notebook.
        given: the options.
        before: name -> value, of a run that is gone on with; what is given now stands in place of these.

    Raises:
        FlowLineError: there is no such cell.
        NotebookParameterError: unknown names, or values that do not fit.
    """
    record = here.session.book.parameters_cell
    if record is None:
        raise FlowLineError(
            "No cell of this notebook declares parameters: tag the cell that sets them `parameters` and save, or begin "
            "it with the line `# parameters`."
        )
    cell = _Node(cell_type="code", source=record.source, metadata=_Node(tags=[TAG]))
    notebook: Any = _Node(cells=[cell], metadata=_Node())
    texts = {one.name: from_json(one.text) if one.is_json else Text(one.text) for one in given_from(given)}
    every = {**(before or {}), **texts}
    missing = [one.name for one in declared_by(record.source) if one.is_required and one.name not in every]
    if missing:
        raise FlowLineError(f"These parameters are required: {', '.join(missing)}.")
    return given_values(notebook, every, here.session.saved.name)


class _Node(dict[str, Any]):
    """A part of a notebook, as nbformat has it, whose import may take seconds where JupyterLab is."""

    __getattr__ = dict.__getitem__


def declared_here(here: Here) -> list[NotebookParameter]:
    """The parameters of the notebook."""
    record = here.session.book.parameters_cell
    return declared_by(record.source) if record is not None else []
