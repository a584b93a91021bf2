"""Makes values fit the types that a notebook declares: text is read, other values are widened, the rest is refused."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from notebook_flows.notebook.kinds import CONTAINERS, UNKNOWN, Kind, Text

if TYPE_CHECKING:
    from collections.abc import Callable

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})
NOTHING = frozenset({"none", "null"})
_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*")
_NUMBER = re.compile(
    r"[+-]?(?:inf(?:inity)?|nan|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:e[+-]?[0-9]+)?)", re.IGNORECASE
)
_PLAIN_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE)


class UnfitError(ValueError):
    """A value that does not fit a type; the message goes on after the parameter's name."""


def fitted(value: Any, kind: Kind) -> Any:
    """The value, made to fit.

    Args:
        value: text is read as its type says, other values are only widened: an int to a float, a list to a tuple.
        kind: the declared type.

    Raises:
        UnfitError: it does not fit.
    """
    if isinstance(value, str):
        return _read(value, kind)
    fit = _FITTERS.get(kind.name)
    return value if fit is None else fit(value, kind)


def _read(text: str, kind: Kind) -> Any:
    name = kind.name
    if name == "":
        return _guessed(text) if isinstance(text, Text) and not kind.text else str(text)
    if name == "Union":
        return _read_union(text, kind)
    if name == "Literal":
        found = [choice for choice in kind.choices if (choice if isinstance(choice, str) else repr(choice)) == text]
        found = found or [choice for choice in kind.choices if str(choice).lower() == text.strip().lower()]
        if not found:
            raise UnfitError(f"is one of {_listed(kind.choices)}, not {shown(text)}")
        return found[0]
    if name in CONTAINERS:
        return fitted(_parsed(text, kind), kind)
    return _READERS[name](text)


def _read_union(text: str, kind: Kind) -> Any:
    """The first part that can read it; plain text comes last, for it would take everything."""
    for part in sorted(kind.parts, key=lambda one: one.name in {"str", ""}):
        try:
            return _read(text, part)
        except UnfitError:
            continue
    raise UnfitError(f"is {kind.text}, not {shown(text)}")


def _guessed(text: str) -> Any:
    """What text means where no type is known: only what cannot be meant otherwise is no text.

    >>> _guessed("12"), _guessed("007"), _guessed("true"), _guessed("[1, 2]")
    (12, '007', True, [1, 2])
    """
    word = text.strip()
    if word in {"True", "true", "False", "false"}:
        return word.lower() == "true"
    if word in {"None", "null"}:
        return None
    if _PLAIN_INTEGER.fullmatch(word):
        return int(word)
    if _PLAIN_NUMBER.fullmatch(word):
        return float(word)
    if word[:1] in {"[", "{"}:
        try:
            return json.loads(word)
        except ValueError:
            pass  # then it is text that begins like that
    return str(text)


def _parsed(text: str, kind: Kind) -> Any:
    """A container, from JSON, or as Python writes it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        example = '{"a": 1}' if kind.name == "dict" else "[1, 2]" if _wants_numbers(kind) else '["a", "b"]'
        raise UnfitError(f"is {_article(kind)}, written as JSON such as {example}, not {shown(text)}") from None


def _wants_numbers(kind: Kind) -> bool:
    return any(part.name in {"int", "float"} for part in kind.parts)


def _read_int(text: str) -> int:
    word = text.strip()
    if not _INTEGER.fullmatch(word):
        raise UnfitError(f"is a whole number (int), not {shown(text)}")
    try:
        return int(word)
    except ValueError:  # more digits than Python wants to read
        raise UnfitError(f"is a whole number (int), and {len(word)} digits are too many") from None


def _read_float(text: str) -> float:
    word = text.strip()
    if not _NUMBER.fullmatch(word):
        raise UnfitError(f"is a number (float), not {shown(text)}")
    return float(word)


def _read_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise UnfitError(f"is true or false (bool), not {shown(text)}")


def _read_none(text: str) -> None:
    if text.strip().lower() not in NOTHING:
        raise UnfitError(f"is None, not {shown(text)}")


_READERS: dict[str, Callable[[str], Any]] = {
    "int": _read_int,
    "float": _read_float,
    "bool": _read_bool,
    "str": str,
    "None": _read_none,
}


def _fit_int(value: Any, kind: Kind) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"is a whole number (int), not {shown(value)}")
    return value


def _fit_float(value: Any, kind: Kind) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnfitError(f"is a number (float), not {shown(value)}")
    return float(value)


def _fit_bool(value: Any, kind: Kind) -> bool:
    if not isinstance(value, bool):
        raise UnfitError(f"is true or false (bool), not {shown(value)}")
    return value


def _fit_none(value: Any, kind: Kind) -> None:
    if value is not None:
        raise UnfitError(f"is None, not {shown(value)}")


def _fit_str(value: Any, kind: Kind) -> str:
    raise UnfitError(f"is text (str), not {shown(value)}")  # text does not come here


def _fit_union(value: Any, kind: Kind) -> Any:
    exact = [part for part in kind.parts if part.name == type(value).__name__]
    for part in (*exact, *kind.parts):
        try:
            return fitted(value, part)
        except UnfitError:
            continue
    raise UnfitError(f"is {kind.text}, not {shown(value)}")


def _fit_literal(value: Any, kind: Kind) -> Any:
    if not any(type(choice) is type(value) and choice == value for choice in kind.choices):
        raise UnfitError(f"is one of {_listed(kind.choices)}, not {shown(value)}")
    return value


def _fit_container(value: Any, kind: Kind) -> Any:
    make = CONTAINERS[kind.name]
    if not isinstance(value, dict if make is dict else (list, tuple, set, frozenset)):
        raise UnfitError(f"is {_article(kind)}, not {shown(value)}")
    if make is dict:
        keys, values = (*kind.parts, UNKNOWN, UNKNOWN)[:2]
        assert isinstance(value, dict)
        return {_inside(one, keys, kind): _inside(value[one], values, kind) for one in value}
    if kind.choices:
        if len(value) != len(kind.parts):
            raise UnfitError(f"is {kind.text}, which has {len(kind.parts)} elements, not {len(value)}")
        return tuple(_inside(one, part, kind) for one, part in zip(value, kind.parts, strict=True))
    part = kind.parts[0] if kind.parts else UNKNOWN
    return make(_inside(one, part, kind) for one in value)


def _inside(value: Any, kind: Kind, outer: Kind) -> Any:
    """An element: JSON has told text and numbers apart already, so nothing is read from text, save keys of a dict."""
    if isinstance(value, str) and kind.name not in {"", "str", "Union", "Literal"} and outer.name != "dict":
        raise UnfitError(f"is {outer.text}, and {shown(value)} in it is no {kind.text}")
    try:
        return fitted(value, kind)
    except UnfitError as error:
        raise UnfitError(f"is {outer.text}; an element of it {error}") from None


_FITTERS = {
    "int": _fit_int, "float": _fit_float, "bool": _fit_bool, "None": _fit_none, "str": _fit_str,
    "Union": _fit_union, "Literal": _fit_literal, **dict.fromkeys(CONTAINERS, _fit_container),
}  # fmt: skip


def _article(kind: Kind) -> str:
    return f"a {kind.text}"


def _listed(choices: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, choices))


def shown(value: Any) -> str:
    """The value as sentences show it."""
    try:
        text = repr(str(value)) if isinstance(value, str) else repr(value)
    except Exception:  # a repr of the user's own may fail
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
