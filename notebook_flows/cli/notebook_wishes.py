"""What the options of ``run`` say of notebooks, and the parameters that they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli.loading import shown
from notebook_flows.cli.secret_values import asked_secrets, secret_from, warn_of_open_secret
from notebook_flows.cli.values import from_json, given_from
from notebook_flows.core.secret import Secret
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from notebook_flows.notebook.selection import Selection


class NotebookWishes(NamedTuple):
    """How notebooks are to be run, beyond what is said of any run.

    Attributes:
        output: the executed notebook's file, a template of it, or a folder; None: beside where we are.
        selection: None: all cells.
        report: the HTML page's file, or a template of it; None: none is wanted.
        hides_input: the page shows no code.
        retries: how often a notebook that failed is run again, as a whole.
        retry_delay_s: the rest before.
    """

    output: str | None
    kernel: str | None
    cwd: Path | None
    cell_timeout_s: float | None
    selection: Selection | None
    strict_shell: bool
    report: str | None
    hides_input: bool
    retries: int
    retry_delay_s: float


def parameters_from(path: Path, options: Sequence[str]) -> dict[str, Any]:
    """The parameters of one notebook, as ``-p`` gives them, and the secrets that a person has to type.

    Texts stay texts, which the notebook's types read; what was given as JSON is a value.

    Raises:
        ParameterError: an option is none, or a secret is not where it is said to be.
        NotebookError: the notebook cannot be read.
    """
    from notebook_flows.notebook.kinds import Text
    from notebook_flows.notebook.parameters import declared_in
    from notebook_flows.notebook.reading import read_notebook
    from notebook_flows.notebook.secrets import is_secret_kind

    values: dict[str, Any] = {}
    try:
        for one in given_from(options):
            values[one.name] = (
                _value_from_json(one.name, one.text) if one.is_json else _value_or_secret(one.name, one.text)
            )
    except ValueError as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"A parameter {error}") from None
    try:
        declared = declared_in(read_notebook(shown(path)), shown(path))
    except ParameterError:
        declared = []  # told when it is run
    for parameter in declared:
        value = values.get(parameter.name)
        if isinstance(value, Text) and is_secret_kind(parameter.kind):
            warn_of_open_secret(parameter.name)
            values[parameter.name] = Secret(str(value))
    return {**values, **asked_secrets(declared, values)}


def _value_from_json(name: str, text: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise ParameterError(f"Parameter {name!r} {error}") from None


def _value_or_secret(name: str, text: str) -> Any:
    from notebook_flows.notebook.kinds import Text

    secret = secret_from(name, text)
    return Text(text) if secret is None else secret


def is_worth_a_retry(state: Any) -> bool:
    """Whether running a notebook again may help: it failed, crashed or took too long, and nobody has stopped it."""
    from notebook_flows.core.lifecycle import S

    return state in {S.FAILED, S.CRASHED, S.TIMED_OUT}
