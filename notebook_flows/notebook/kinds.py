"""The types that parameters of a notebook are declared with, read from their text."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

CONTAINERS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}
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
            known = name in CONTAINERS or name in {"int", "float", "str", "bool", "None"}
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
    return Kind(name=name if name in CONTAINERS else "", text=text, parts=parts)


def _union(parts: tuple[Kind, ...], text: str) -> Kind:
    flat = [inner for part in parts for inner in (part.parts if part.name == "Union" else (part,))]
    return Kind(name="Union", text=text, parts=tuple(flat))


def kind_of_value(value: Any) -> Kind:
    """The type that a default value declares; a None says nothing."""
    name = type(value).__name__
    if value is None or name not in {*CONTAINERS, "int", "float", "str", "bool"}:
        return UNKNOWN
    return Kind(name=name, text=name)
