"""``-p name=value``: texts as the values that parameters take."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli.secret_values import secret_from, warn_of_open_secret
from notebook_flows.cli.textfiles import LONGEST_JSON, text_of_file
from notebook_flows.core.parameter import DateTimeParameter
from notebook_flows.core.secret import Secret
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.parameter import Parameter

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


_HAVE_AN_EMPTY_ONE = (int, float, bool, list, dict, tuple)


class Given(NamedTuple):
    """What stood behind one ``-p``.

    Attributes:
        name: of the parameter.
        text: its value, or the JSON of it.
        is_json: it was written ``name:=JSON``.
    """

    name: str
    text: str
    is_json: bool


def given_from(options: Iterable[str]) -> list[Given]:
    """The names and texts of ``-p`` options.

    ``name=text`` is a text, converted to what the parameter takes; ``name:=JSON`` is a value as it stands, and
    ``name:=@FILE`` the JSON in a file.

    Raises:
        ParameterError: one has no ``=``, or a name comes twice.

    >>> given_from(["day=2026-01-31", "sizes:=[1, 2]"])[1]
    Given(name='sizes', text='[1, 2]', is_json=True)
    """
    found: dict[str, Given] = {}
    for option in options:
        name, equals, text = option.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":").strip()
        if not equals or not name:
            raise ParameterError(f"-p {option!r}: write name=value, or name:=JSON.")
        if name in found:
            raise ParameterError(f"Parameter {name!r} is given twice.")
        if is_json and text.startswith("@"):
            text = _text_of(name, text[1:])
        found[name] = Given(name, text, is_json)
    return list(found.values())


def _text_of(name: str, file: str) -> str:
    try:
        return text_of_file(Path(file), most_bytes=LONGEST_JSON)
    except ValueError as why:
        raise ParameterError(f"Parameter {name!r}: the file {file} cannot be read: {why}.") from None


def values_for(flow: Flow, given: Iterable[Given]) -> dict[str, Any]:
    """The values, converted to the kinds that the flow's parameters take.

    Names that the flow does not have keep their text: running refuses them, with the likely name.

    Raises:
        ParameterError: with everything that cannot be converted.
    """
    known = {parameter.name: parameter for parameter in flow.parameters()}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for one in given:
        try:
            values[one.name] = _value(one, known.get(one.name))
        except ValueError as error:
            problems.append(f"Parameter {one.name!r} {error}")
    if problems:
        raise ParameterError("\n".join(problems))
    return values


def _value(given: Given, parameter: Parameter | None) -> Any:
    if given.is_json:
        return from_json(given.text)
    secret = secret_from(given.name, given.text)
    if secret is not None:
        if parameter is None or not isinstance(parameter.default, Secret):
            raise ValueError(
                "is no secret: its default would have to be one, as in Parameter(..., default=Secret(''))."
            )
        return secret
    if parameter is not None and isinstance(parameter.default, Secret):
        warn_of_open_secret(given.name)
    if parameter is None or isinstance(parameter, DateTimeParameter):
        return given.text
    default = parameter.default
    if default is None and parameter.annotation in _HAVE_AN_EMPTY_ONE:
        default = parameter.annotation()  # an empty one of its kind says as much as a default
    return converted(given.text, default)


def from_json(text: str) -> Any:
    """The value that JSON tells.

    Raises:
        ValueError: it is no JSON; says where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise ValueError(f"is no JSON: {shown!r}, {error.msg.lower()} at character {error.pos + 1}.") from None
    except RecursionError:
        raise ValueError("is JSON that is nested too deeply.") from None


def converted(text: str, default: Any) -> Any:
    """A text as a value of the kind that the default is.

    Args:
        text: as it was typed.
        default: None says nothing of the kind: the text stays a text.

    Raises:
        ValueError: it is none of that kind; the message goes on after the parameter's name.

    >>> converted("007", 1), converted("007", "x"), converted("yes", False), converted('["a"]', ())
    (7, '007', True, ('a',))
    """
    if isinstance(default, Secret):
        return Secret(converted(text, default.get()))
    if default is None or type(default) is str:
        return text
    if isinstance(default, Enum):
        return _member(text, type(default))
    for kind, convert in _CONVERSIONS.items():
        if type(default) is kind or (kind is Path and isinstance(default, Path)):
            return convert(text)
    name = type(default).__name__
    raise ValueError(f"has a default of the kind {name}, which no text can be. Give JSON: -p name:=JSON.")


def _bool(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"is true or false, not {text!r}.")


def _number(kind: Callable[[str], Any], words: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            if text.isascii():
                return kind(text)
        except ValueError:
            pass  # told below, as what is no ASCII is
        raise ValueError(f"is {words}, not {text!r}.")

    return convert


def _collection(kind: Callable[[Any], Any], json_kind: type, words: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        value = from_json(text)
        if not isinstance(value, json_kind):
            raise ValueError(f"is {words}, not {text!r}.")  # noqa: TRY004 - a text of the wrong form, not a wrong type
        return kind(value)

    return convert


def _moment(kind: type[date], words: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind.fromisoformat(text.strip())
        except ValueError:
            raise ValueError(f"is {words}, not {text!r}.") from None

    return convert


def _member(text: str, kind: type[Enum]) -> Enum:
    for member in kind:
        if text in {member.name, str(member.value)}:
            return member
    raise ValueError(f"is one of {', '.join(member.name for member in kind)}, not {text!r}.")


_CONVERSIONS: Mapping[type, Callable[[str], Any]] = {
    bool: _bool,
    int: _number(int, "a whole number"),
    float: _number(float, "a number"),
    list: _collection(list, list, 'a list, in JSON as ["a", 1]'),
    tuple: _collection(tuple, list, 'a tuple, in JSON as ["a", 1]'),
    set: _collection(set, list, 'a set, in JSON as ["a", 1]'),
    dict: _collection(dict, dict, 'a dict, in JSON as {"a": 1}'),
    Path: Path,
    datetime: _moment(datetime, "a moment, as 2026-01-31T08:00"),
    date: _moment(date, "a date, as 2026-01-31"),
}


def kind_of(parameter: Parameter) -> str:
    """What a parameter takes, in a word."""
    if isinstance(parameter, DateTimeParameter):
        return "moment"
    default = parameter.default
    if isinstance(default, Secret):
        return "secret"
    return "any" if default is None else type(default).__name__
