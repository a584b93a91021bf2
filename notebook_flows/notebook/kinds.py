"""The types that parameters of a notebook are declared with, read from their text, and values made to fit them."""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
_CONTAINERS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}
_ALIASES = {
    "List": "list", "Sequence": "list", "Iterable": "list", "Collection": "list", "MutableSequence": "list",
    "Tuple": "tuple", "Set": "set", "FrozenSet": "frozenset", "Dict": "dict", "Mapping": "dict",
    "MutableMapping": "dict", "NoneType": "None", "Text": "str",
}  # fmt: skip


class Text(str):
    """A parameter's value as a person has typed it; read by the parameter's type, or guessed where that is unknown.

    A plain string is read by the type too, and stays as it is where that is unknown.
    """

    __slots__ = ()


class UnfitError(ValueError):
    """A value that does not fit a type; the message goes on after the parameter's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A type as it was declared.

    Attributes:
        name: ``int``, ``float``, ``str``, ``bool``, ``None``, ``list``, ``tuple``, ``set``, ``frozenset``, ``dict``,
            ``Union``, ``Literal``; or empty where we cannot tell.
        text: as it was written.
        parts: of a container or a union.
        choices: of a Literal.
    """

    name: str
    text: str
    parts: tuple[Kind, ...] = ()
    choices: tuple[Any, ...] = ()


UNKNOWN = Kind(name="", text="")


def kind_from_text(text: str) -> Kind:
    """The type that an annotation's text means.

    >>> kind_from_text("int | None").name
    'Union'
    >>> kind_from_text("pd.Timestamp").name
    ''
    """
    try:
        return kind_from_node(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        return Kind(name="", text=text.strip())


def kind_from_node(node: ast.expr) -> Kind:
    """The type that an annotation means."""
    text = ast.unparse(node)
    match node:
        case ast.Constant(value=None):
            return Kind(name="None", text="None")
        case ast.Constant(value=str(inner)):
            return kind_from_text(inner)
        case ast.BinOp(op=ast.BitOr()):
            return _union((kind_from_node(node.left), kind_from_node(node.right)), text)
        case ast.Subscript():
            return _subscripted(node, text)
        case ast.Name() | ast.Attribute():
            name = _last_name(node)
            name = _ALIASES.get(name, name)
            known = name in _CONTAINERS or name in {"int", "float", "str", "bool", "None"}
            return Kind(name=name if known else "", text=text)
    return Kind(name="", text=text)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _subscripted(node: ast.Subscript, text: str) -> Kind:
    outer = _last_name(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if outer == "Literal":
        try:
            return Kind(name="Literal", text=text, choices=tuple(ast.literal_eval(one) for one in inner))
        except ValueError:
            return Kind(name="", text=text)
    if outer in {"Annotated", "Final", "ClassVar"}:
        found = kind_from_node(inner[0])
        return Kind(name=found.name, text=text, parts=found.parts, choices=found.choices)
    parts = tuple(kind_from_node(one) for one in inner if not (isinstance(one, ast.Constant) and one.value is ...))
    if outer == "Optional":
        return _union((*parts, Kind(name="None", text="None")), text)
    if outer == "Union":
        return _union(parts, text)
    name = _ALIASES.get(outer, outer)
    if name == "tuple" and len(parts) == len(inner) and parts:
        return Kind(name="tuple", text=text, parts=parts, choices=("each",))
    return Kind(name=name if name in _CONTAINERS else "", text=text, parts=parts)


def _union(parts: tuple[Kind, ...], text: str) -> Kind:
    flat = [inner for part in parts for inner in (part.parts if part.name == "Union" else (part,))]
    return Kind(name="Union", text=text, parts=tuple(flat))


def kind_of_value(value: Any) -> Kind:
    """The type that a default value declares; a None says nothing."""
    name = type(value).__name__
    if value is None or name not in {*_CONTAINERS, "int", "float", "str", "bool"}:
        return UNKNOWN
    return Kind(name=name, text=name)


# -- values ------------------------------------------------------------------------------------------------------------


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
            raise UnfitError(f"is one of {_listed(kind.choices)}, not {_shown(text)}")
        return found[0]
    if name in _CONTAINERS:
        return fitted(_parsed(text, kind), kind)
    return _READERS[name](text)


def _read_union(text: str, kind: Kind) -> Any:
    """The first part that can read it; plain text comes last, for it would take everything."""
    for part in sorted(kind.parts, key=lambda one: one.name in {"str", ""}):
        try:
            return _read(text, part)
        except UnfitError:
            continue
    raise UnfitError(f"is {kind.text}, not {_shown(text)}")


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
        raise UnfitError(f"is {_article(kind)}, written as JSON such as {example}, not {_shown(text)}") from None


def _wants_numbers(kind: Kind) -> bool:
    return any(part.name in {"int", "float"} for part in kind.parts)


def _read_int(text: str) -> int:
    word = text.strip()
    if not _INTEGER.fullmatch(word):
        raise UnfitError(f"is a whole number (int), not {_shown(text)}")
    try:
        return int(word)
    except ValueError:  # more digits than Python wants to read
        raise UnfitError(f"is a whole number (int), and {len(word)} digits are too many") from None


def _read_float(text: str) -> float:
    word = text.strip()
    if not _NUMBER.fullmatch(word):
        raise UnfitError(f"is a number (float), not {_shown(text)}")
    return float(word)


def _read_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise UnfitError(f"is true or false (bool), not {_shown(text)}")


def _read_none(text: str) -> None:
    if text.strip().lower() not in NOTHING:
        raise UnfitError(f"is None, not {_shown(text)}")


_READERS: dict[str, Callable[[str], Any]] = {
    "int": _read_int,
    "float": _read_float,
    "bool": _read_bool,
    "str": str,
    "None": _read_none,
}


def _fit_int(value: Any, kind: Kind) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"is a whole number (int), not {_shown(value)}")
    return value


def _fit_float(value: Any, kind: Kind) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnfitError(f"is a number (float), not {_shown(value)}")
    return float(value)


def _fit_bool(value: Any, kind: Kind) -> bool:
    if not isinstance(value, bool):
        raise UnfitError(f"is true or false (bool), not {_shown(value)}")
    return value


def _fit_none(value: Any, kind: Kind) -> None:
    if value is not None:
        raise UnfitError(f"is None, not {_shown(value)}")


def _fit_str(value: Any, kind: Kind) -> str:
    raise UnfitError(f"is text (str), not {_shown(value)}")  # text does not come here


def _fit_union(value: Any, kind: Kind) -> Any:
    exact = [part for part in kind.parts if part.name == type(value).__name__]
    for part in (*exact, *kind.parts):
        try:
            return fitted(value, part)
        except UnfitError:
            continue
    raise UnfitError(f"is {kind.text}, not {_shown(value)}")


def _fit_literal(value: Any, kind: Kind) -> Any:
    if not any(type(choice) is type(value) and choice == value for choice in kind.choices):
        raise UnfitError(f"is one of {_listed(kind.choices)}, not {_shown(value)}")
    return value


def _fit_container(value: Any, kind: Kind) -> Any:
    make = _CONTAINERS[kind.name]
    if not isinstance(value, dict if make is dict else (list, tuple, set, frozenset)):
        raise UnfitError(f"is {_article(kind)}, not {_shown(value)}")
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
        raise UnfitError(f"is {outer.text}, and {_shown(value)} in it is no {kind.text}")
    try:
        return fitted(value, kind)
    except UnfitError as error:
        raise UnfitError(f"is {outer.text}; an element of it {error}") from None


_FITTERS = {
    "int": _fit_int, "float": _fit_float, "bool": _fit_bool, "None": _fit_none, "str": _fit_str,
    "Union": _fit_union, "Literal": _fit_literal, **dict.fromkeys(_CONTAINERS, _fit_container),
}  # fmt: skip


def _article(kind: Kind) -> str:
    return f"a {kind.text}"


def _listed(choices: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, choices))


def _shown(value: Any) -> str:
    try:
        text = repr(str(value)) if isinstance(value, str) else repr(value)
    except Exception:  # a repr of the user's own may fail
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


# -- as Python code ----------------------------------------------------------------------------------------------------


def as_python(value: Any) -> str:
    """Code that makes the value.

    >>> as_python({"a": [1.5, float("inf")], "b": None})
    "{'a': [1.5, float('inf')], 'b': None}"

    Raises:
        UnfitError: there is no literal for it.
    """
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"float({str(float(value))!r})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_python(one)}: {as_python(value[one])}" for one in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_python, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(as_python, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, (set, frozenset)):
        inner = ", ".join(sorted(map(as_python, value)))
        name = type(value).__name__
        return f"{{{inner}}}" if name == "set" and inner else f"{name}({{{inner}}})" if inner else f"{name}()"
    if hasattr(value, "__fspath__"):
        return repr(str(value))
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return as_python(value.item())
    raise UnfitError(f"cannot be written into a notebook: {_shown(value)} has no literal in Python")
