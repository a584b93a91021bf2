"""``%flow run -p`` and ``%flow params``: the parameters of the notebook that is open, typed as headless runs type them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.values import from_json, given_from
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.notebook.kinds import Text
from notebook_flows.notebook.parameters import TAG, declared_by, given_values
from notebook_flows.views.text import printable
from notebook_flows.views.values import told_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from notebook_flows.magics.here import Here
    from notebook_flows.notebook.parameters import NotebookParameter
    from notebook_flows.session.record import CellRecord


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


def tell_parameters(here: Here) -> None:
    """The parameters that the notebook declares, with the values that tasks take, and where these come from."""
    record = here.session.book.parameters_cell
    found = declared_here(here)
    if record is None or not found:
        click.echo("No cell declares parameters: tag it `parameters`, or begin it with the line `# parameters`.")
        return
    for one in found:
        told = f": {one.type}" if one.type else ""
        click.echo(f"{one.name}{told}{_value(here, record, one)}{f'  # {one.help}' if one.help else ''}")
        for line in _from_elsewhere(here, record, one):
            click.echo(f"  {line}")


def _value(here: Here, record: CellRecord, one: NotebookParameter) -> str:
    names = here.session.shell.user_ns
    if _is_bound_below(here, record, one.name):
        is_kept, value = here.flow.kept(record.key, one.name)
        return f" = {told_value(value)}" if is_kept else f" = {one.default_text}" if one.default_text else ""
    return f" = {told_value(names[one.name])}" if one.name in names else " (not bound yet)"


def _is_bound_below(here: Here, record: CellRecord, name: str) -> bool:
    return name in here.session.shell.user_ns and here.session.bindings.owner(name) not in {record.key, None}


def _from_elsewhere(here: Here, record: CellRecord, one: NotebookParameter) -> Iterator[str]:
    if one.name in here.flow.given:
        run_id = here.flow.ran_in.get(record.key, "")
        yield (
            f"given by `-p`{f' to run {run_id[:8]}' if run_id else ''}"
            f"{f', where the cell says {one.default_text}' if one.default_text else ''}; later runs take it, too, until "
            "`-p` gives other values or the cell is executed"
        )
    if _is_bound_below(here, record, one.name):
        owner = here.session.book.record(here.session.bindings.owner(one.name) or "")
        by = f", from {printable(owner.name)!r}" if owner is not None else ""
        yield f"{one.name} is {told_value(here.session.shell.user_ns[one.name])} in the kernel{by}"
