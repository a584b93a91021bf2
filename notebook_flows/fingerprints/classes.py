"""How classes are written into a fingerprint: a library's by name and version, the user's own by what they do."""

from __future__ import annotations

import dataclasses
import enum
import sys
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import library_of

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk

_NOT_TOLD = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__match_args__",
        "__module__",
        "__orig_bases__",
        "__parameters__",
        "__qualname__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
"""Attributes that Python makes itself, or that say nothing of what a class does."""


def write_class(walk: Walk, cls: type) -> None:
    """Write a class."""
    library = library_of(cls.__module__)
    if library is not None and not _is_made_by_call(cls):
        walk.text("class", library, f"{cls.__module__}.{cls.__qualname__}")
        return
    if not walk.first_time(cls):
        return
    walk.text("own class", cls.__name__)
    for base in cls.__bases__:
        write_class(walk, base)
    if type(cls) is not type:
        write_class(walk, type(cls))
    if issubclass(cls, enum.Enum):
        _write_enum(walk, cls)
        return
    is_dataclass = "__dataclass_fields__" in vars(cls)
    if is_dataclass:
        _write_fields(walk, cls)
    for name, value in sorted(vars(cls).items()):
        if name in _NOT_TOLD or (is_dataclass and _is_generated(value)):
            continue
        if isinstance(value, GetSetDescriptorType | MemberDescriptorType) or type(value).__name__ == "_tuplegetter":
            walk.text("slot", name)
        elif name == "__annotations__":
            walk.text("annotations", *(f"{key}: {_type_text(one)}" for key, one in value.items()))
        elif name == "__slots__":
            walk.text("slots", *([value] if isinstance(value, str) else map(str, value)))
        else:
            walk.text("attribute", name)
            walk.inside(f"{cls.__qualname__}.{name}", value)


def _is_made_by_call(cls: type) -> bool:
    """Whether the module that a class names is the one of who has put it together, as `dataclasses.make_dataclass` does."""
    if cls.__module__ not in {"types", "builtins"} or getattr(sys.modules[cls.__module__], cls.__name__, None) is cls:
        return False
    return any(isinstance(one, FunctionType) for one in vars(cls).values())


def _write_enum(walk: Walk, cls: type[enum.Enum]) -> None:
    for name, member in cls.__members__.items():
        walk.text("member", name)
        walk.inside(f"{cls.__qualname__}.{name}", member.value)
    for name, value in sorted(vars(cls).items()):
        is_code = isinstance(value, FunctionType | property | classmethod | staticmethod)
        if is_code and library_of(getattr(value, "__module__", None) or cls.__module__) is None:
            walk.text("attribute", name)
            walk.inside(f"{cls.__qualname__}.{name}", value)


def _write_fields(walk: Walk, cls: type) -> None:
    params = getattr(cls, "__dataclass_params__", None)
    walk.text("dataclass", repr(params))
    for field in dataclasses.fields(cls):
        walk.text("field", field.name, _type_text(field.type), repr((field.init, field.compare, field.kw_only)))
        if field.hash is not None or not field.repr:
            walk.text("field's others", repr((field.hash, field.repr)))
        if field.metadata:
            walk.inside(f"the metadata of {cls.__qualname__}.{field.name}", dict(field.metadata))
        for which, default in (("default", field.default), ("factory", field.default_factory)):
            if default is not dataclasses.MISSING:
                walk.text(which)
                walk.inside(f"the {which} of {cls.__qualname__}.{field.name}", default)


def _type_text(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def _is_generated(value: Any) -> bool:
    """Whether `dataclasses` has written this method."""
    inner = getattr(value, "__wrapped__", value)
    return isinstance(inner, FunctionType) and inner.__code__.co_filename == "<string>"
