"""Names of output files made from a template: what a run fills in never leaves the template's folder."""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.core.secret import Secret
from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_VALUE = 80
SHORT_ID = 8
_HUGE = re.compile(r"\d{5,}")
"""A width in a format that would make a text of many millions of characters."""
_UNSAFE = re.compile(r'[\\/:*?"<>|\s]+')


class OutputNameError(FlowError, ValueError):
    """A template that makes no file name."""


def is_template(text: str) -> bool:
    """Whether anything is to be filled in.

    >>> is_template("out/{name}.ipynb"), is_template("out.ipynb")
    (True, False)
    """
    return "{" in text or "}" in text


def output_named(
    template: str | Path, notebook: str | Path, parameters: Mapping[str, Any], run_id: str, now: datetime | None = None
) -> Path:
    """The file that a template names for one run.

    ``{name}`` is the notebook's, ``{date}`` and ``{time}`` are those of now, ``{run_id}`` is the beginning of the
    run's id; every parameter has its own name; formats as in ``{date:%Y-%m}`` and ``{count:03d}`` are known. Values
    become parts of file names: what separates folders is replaced. Double braces stand for braces.

    >>> output_named("out/{name}-{region}.ipynb", "sales.ipynb", {"region": "../north"}, "3f2a9c81").as_posix()
    'out/sales-..-north.ipynb'

    Raises:
        OutputNameError: it asks for what there is not, for a secret, or makes no name.
    """
    text = str(template)
    if not is_template(text):
        return Path(text)
    moment = (now or datetime.now(UTC)).astimezone()
    known: dict[str, Any] = {
        "name": Path(notebook).stem,
        "date": _Moment(moment, "%Y-%m-%d"),
        "time": _Moment(moment, "%H%M%S"),
        "run_id": run_id[:SHORT_ID],
        **parameters,
    }
    parts = [_filled(part, known, text) for part in Path(text).parts]
    return Path(*parts)


class _Moment:
    """A moment in its own format, or in the one that a template asks for."""

    def __init__(self, moment: datetime, own: str) -> None:
        self._moment = moment
        self._own = own

    def __format__(self, spec: str) -> str:
        return self._moment.strftime(spec or self._own)


def _filled(part: str, known: Mapping[str, Any], template: str) -> str:
    """One part of the path, filled in; it stays one part."""
    if not is_template(part):
        return part
    made = []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(part):
            made.append(literal)
            if name is not None:
                made.append(_value(name, spec or "", conversion, known, template))
    except ValueError as error:
        if isinstance(error, OutputNameError):
            raise
        raise OutputNameError(f"The template {template!r} cannot be read: {error}. Write {{{{ for a brace.") from None
    text = "".join(made)
    if text.strip(". ") == "":
        raise OutputNameError(f"The template {template!r} makes {text!r} of {part!r}, which is no name for a file.")
    return text


def _value(name: str, spec: str, conversion: str | None, known: Mapping[str, Any], template: str) -> str:
    if name not in known:
        if not name.isidentifier():
            raise OutputNameError(
                f"The template {template!r} has {{{name}}}; only names of parameters, and name, date, time and run_id "
                "can stand there."
            )
        likely = did_you_mean(name, known)
        raise OutputNameError(f"The template {template!r} has {{{name}}}, which is unknown.{likely} {_listed(known)}")
    if _HUGE.search(spec):
        raise OutputNameError(f"The template {template!r} has {{{name}:{spec}}}, which is wider than any file's name.")
    value = known[name]
    if isinstance(value, Secret):
        raise OutputNameError(f"The template {template!r} has {{{name}}}, which is a secret.")
    try:
        shown = repr(value) if conversion == "r" else value
        text = format(shown, spec) if spec or isinstance(shown, _Moment) else str(shown)
    except (ValueError, TypeError) as error:
        raise OutputNameError(
            f"The template {template!r} has {{{name}:{spec}}}, which does not fit: {error}."
        ) from None
    return safe_part(text)


def _listed(known: Mapping[str, Any]) -> str:
    return f"Known here: {', '.join(known)}."


def safe_part(text: str) -> str:
    r"""A text as a part of a file's name.

    >>> safe_part("../etc/passwd"), safe_part("a\nb"), safe_part("é")
    ('..-etc-passwd', 'a-b', 'é')
    """
    clean = "".join("-" if unicodedata.category(one).startswith("C") else one for one in text)
    clean = _UNSAFE.sub("-", clean)
    return clean[:LONGEST_VALUE] or "-"


def default_output(notebook: str | Path, parameters: Sequence[str]) -> str:
    """The template for a run that is one of several, told apart by these parameters.

    >>> default_output("reports/sales.ipynb", ["region"])
    '{name}-region={region}-output.ipynb'
    """
    told = "".join(f"-{name}={{{name}}}" for name in parameters)
    return f"{{name}}{told}-output.ipynb"
