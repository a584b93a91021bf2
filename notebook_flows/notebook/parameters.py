"""The parameters of a notebook: what its cell tagged ``parameters`` declares, and what a run is given."""

from __future__ import annotations

import ast
import contextlib
import io
import keyword
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.core.secret import Secret
from notebook_flows.errors import did_you_mean
from notebook_flows.notebook.errors import NotebookParameterError
from notebook_flows.notebook.kinds import UNKNOWN, Kind, kind_from_node, kind_from_text, kind_of_value
from notebook_flows.notebook.literals import as_python
from notebook_flows.notebook.reading import read_notebook
from notebook_flows.notebook.secrets import OpenSecret, code_for, is_secret_kind
from notebook_flows.notebook.values import UnfitError, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from nbformat import NotebookNode

TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_TYPE_COMMENT = re.compile(r"type:\s*(?P<type>\S+)\s*")
_HEADINGS = frozenset({"parameters", "params", "parameter"})


@dataclass(frozen=True, kw_only=True, slots=True)
class NotebookParameter:
    """One parameter, as its cell declares it.

    Attributes:
        kind: its type; told by the annotation, else by the default.
        default: the default's value, or None where it is no literal.
        default_text: the default as it is written; empty for a required one.
        is_required: it has no default: ``x: int``, or ``x: int = ...``.
        help: its comment.
    """

    name: str
    kind: Kind = UNKNOWN
    default: Any = None
    default_text: str = ""
    is_required: bool = False
    help: str = ""

    @property
    def type(self) -> str:
        """The type as text; empty where it is unknown."""
        return self.kind.text


def inspect(path: str | Path) -> list[NotebookParameter]:
    """The parameters of the notebook in a file, in the order of their cell; none if there is no such cell.

    Raises:
        NotebookError: the notebook cannot be read.
        NotebookParameterError: its parameters cell is no Python.
    """
    return declared_in(read_notebook(path), path)


def defaults_of(path: str | Path) -> dict[str, Any]:
    """{parameter: its default}, where that is a literal; for names of files.

    Raises:
        NotebookError: the notebook cannot be read.
    """
    try:
        declared = inspect(path)
    except NotebookParameterError:  # told when it is run
        return {}
    return {one.name: one.default for one in declared if one.default_text and one.default is not None}


def declared_in(notebook: NotebookNode, path: object = "") -> list[NotebookParameter]:
    """As `inspect`, for a notebook that was read already."""
    cell = first_tagged(notebook, TAG)
    if cell is None or not is_python(notebook):
        return []
    try:
        return declared_by(cell.source)
    except SyntaxError as error:
        problem = f"its cell tagged {TAG!r} is no valid Python: {error.msg} (line {error.lineno})."
        raise NotebookParameterError(path, [problem]) from None


def first_tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """The first code cell with a tag."""
    return next((one for one in notebook.cells if one.cell_type == "code" and tag in one.metadata.tags), None)


def is_python(notebook: NotebookNode) -> bool:
    """Whether its kernel speaks Python, as far as the notebook says."""
    language = notebook.metadata.get("language_info", {}).get("name")
    language = language or notebook.metadata.get("kernelspec", {}).get("language")
    return str(language or "python").lower() in {"python", "ipython"}


def declared_by(source: str) -> list[NotebookParameter]:
    r"""The parameters that a cell's text declares.

    >>> [(p.name, p.type, p.default, p.help) for p in declared_by("n: int = 5  # how many\nname: str")]
    [('n', 'int', 5, 'how many'), ('name', 'str', None, '')]

    Raises:
        SyntaxError: it is no Python.
    """
    text = "\n".join("" if line.lstrip()[:1] in {"%", "!"} else line for line in source.splitlines()) + "\n"
    comments = _comments(text)
    found: dict[str, NotebookParameter] = {}
    end_before = 0
    for statement in ast.parse(text).body:
        for name, annotation, value in _assigned(statement):
            help_, type_text = _help(comments, statement, end_before)
            found.pop(name, None)  # the later one counts, and where it stands
            found[name] = _parameter(name, annotation, value, help_, type_text)
        end_before = statement.end_lineno or statement.lineno
    return list(found.values())


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """(name, annotation, value) of each name that a statement gives a value, or a type."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            yield name, annotation, value
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, None, value
                elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                    pairs = zip(target.elts, value.elts, strict=False)
                    yield from ((one.id, None, part) for one, part in pairs if isinstance(one, ast.Name))


def _parameter(
    name: str, annotation: ast.expr | None, value: ast.expr | None, help_: str, type_text: str
) -> NotebookParameter:
    is_required = value is None or (isinstance(value, ast.Constant) and value.value is ...)
    default = None
    if value is not None and not is_required:
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            default = ast.literal_eval(value)  # else it is computed: only the kernel knows it
    if annotation is not None:
        kind = kind_from_node(annotation)
    else:
        kind = kind_from_text(type_text) if type_text else kind_of_value(default)
    text = "" if is_required or value is None else ast.unparse(value)
    return NotebookParameter(
        name=name, kind=kind, default=default, default_text=text, is_required=is_required, help=help_
    )


def _comments(text: str) -> dict[int, tuple[str, bool]]:
    """{line: (its comment, whether it stands alone)}."""
    found: dict[int, tuple[str, bool]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                found[token.start[0]] = (token.string.lstrip("#").strip(), alone)
    except (tokenize.TokenError, IndentationError):
        pass  # ast.parse will say what is wrong
    return found


def _help(comments: Mapping[int, tuple[str, bool]], statement: ast.stmt, end_before: int) -> tuple[str, str]:
    """The comment behind a statement, else the block of them right above it; and the type that a comment names."""
    text, alone = comments.get(statement.end_lineno or statement.lineno, ("", False))
    if alone or not text:
        above: list[str] = []
        line = statement.lineno - 1
        while line > end_before and comments.get(line, ("", False))[1]:
            above.insert(0, comments[line][0])
            line -= 1
        if above and above[0].strip(" :-").lower() in _HEADINGS:
            del above[0]
        text = " ".join(above).strip()
    typed = _TYPE_COMMENT.match(text)
    return (text[typed.end() :].strip(), typed["type"]) if typed else (text, "")


# -- what a run is given -----------------------------------------------------------------------------------------------


def given_values(notebook: NotebookNode, given: Mapping[str, Any], path: object = "") -> dict[str, Any]:
    """The values for a run, each made to fit the type of its parameter, in the order of the declaration.

    Raises:
        NotebookParameterError: unknown, missing, of the wrong kind: all of them at once.
    """
    if not is_python(notebook):
        return _for_another_language(given, path)
    try:
        declared = {one.name: one for one in declared_in(notebook, path)}
    except NotebookParameterError:
        if given:
            raise
        return {}  # the kernel will say what is wrong with that cell, better than we can
    if given and first_tagged(notebook, TAG) is None:
        listed = ", ".join(map(_quoted, given))
        problem = f"it has no cell tagged {TAG!r}, so it takes none; given: {listed}. Tag the cell that sets them."
        raise NotebookParameterError(path, [problem])
    problems = [_unknown(name, declared) for name in given if name not in declared]
    already = _injected_names(notebook)
    problems += [
        f"{name!r} is required, and not given; it is {parameter.type or 'of any type'}"
        f"{f' ({parameter.help})' if parameter.help else ''}{_hint(parameter)}."
        for name, parameter in declared.items()
        if parameter.is_required and name not in given and name not in already
    ]
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name in given:
            try:
                values[name] = _value(given[name], parameter.kind)
            except UnfitError as error:
                problems.append(f"{name!r} {error}.")
    if problems:
        raise NotebookParameterError(path, problems)
    return values


def _hint(parameter: NotebookParameter) -> str:
    """How a secret is given, so that it stands nowhere."""
    return f": give it as {parameter.name}=@env:VARIABLE or @file:FILE" if is_secret_kind(parameter.kind) else ""


def _value(value: Any, kind: Kind) -> Any:
    if is_secret_kind(kind):
        return Secret(value.get() if isinstance(value, Secret) else value)
    if isinstance(value, Secret):
        return OpenSecret(fitted(value.get(), kind))
    made = fitted(value, kind)
    as_python(made)
    return made


def _quoted(name: object) -> str:
    text = repr(str(name))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unknown(name: str, declared: Mapping[str, NotebookParameter]) -> str:
    complaint = _hostility(name)
    if complaint:
        return f"{_quoted(name)} cannot be the name of a parameter: {complaint}."
    listed = ", ".join(declared) or "none"
    return f"{name!r} is no parameter of it.{did_you_mean(name, declared)} Its parameters: {listed}."


def _hostility(name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        return "it is no name in Python"
    if keyword.iskeyword(name):
        return "it is a word of Python's own"
    return "names with two underscores around them are Python's own" if name.startswith("__") else ""


def _injected_names(notebook: NotebookNode) -> set[str]:
    cell = first_tagged(notebook, INJECTED_TAG)
    try:
        return {one.name for one in declared_by(cell.source)} if cell is not None else set()
    except SyntaxError:
        return set()


def _for_another_language(given: Mapping[str, Any], path: object) -> dict[str, Any]:
    """We cannot read that language's types: values are guessed as papermill does it, names only have to be harmless."""
    problems = [
        f"{_quoted(name)} cannot be the name of a parameter: {_hostility(name)}." for name in given if _hostility(name)
    ]
    if problems:
        raise NotebookParameterError(path, problems)
    problems = [
        f"{name!r} is a secret; only Python's notebooks take them." for name in given if isinstance(given[name], Secret)
    ]
    if problems:
        raise NotebookParameterError(path, problems)
    return {name: fitted(value, UNKNOWN) for name, value in given.items()}


def injected(notebook: NotebookNode, values: Mapping[str, Any], kernel: str, path: object = "") -> None:
    """Write the values into the notebook, as papermill does: in a cell of their own after the parameters cell.

    A cell that an earlier run has injected is replaced in its place; without values it stays.

    Raises:
        NotebookParameterError: the language of the notebook has no way to write them.
    """
    if not values:
        return
    import nbformat

    cell = nbformat.v4.new_code_cell(source=_assignments(notebook, values, kernel, path), id="injected-parameters")
    cell.metadata["tags"] = [INJECTED_TAG]
    cells = notebook.cells
    old = _place(cells, INJECTED_TAG)
    declared = _place(cells, TAG)
    if old is not None:
        cell.id = cells[old].id
        cells[old] = cell
    else:
        cells.insert(0 if declared is None else declared + 1, cell)


def _code(name: str, value: Any) -> str:
    return code_for(value, name) if isinstance(value, Secret) else as_python(value)


def _place(cells: Sequence[NotebookNode], tag: str) -> int | None:
    return next((place for place, one in enumerate(cells) if tag in one.metadata.tags), None)


def _assignments(notebook: NotebookNode, values: Mapping[str, Any], kernel: str, path: object) -> str:
    if is_python(notebook):
        return "\n".join(["# Parameters", *(f"{name} = {_code(name, value)}" for name, value in values.items())])
    from papermill.exceptions import PapermillException
    from papermill.translators import translate_parameters

    language = notebook.metadata.get("language_info", {}).get("name")
    language = language or notebook.metadata.get("kernelspec", {}).get("language")
    try:
        return str(translate_parameters(kernel, language, dict(values), "Parameters")).rstrip("\n")
    except (PapermillException, NotImplementedError):
        problem = f"nobody knows how to write parameters in {language!r}."
        raise NotebookParameterError(path, [problem]) from None
