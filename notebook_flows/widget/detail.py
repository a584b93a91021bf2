"""What a page is told of one task run that somebody wants to know more about: short texts, whatever the values are."""

from __future__ import annotations

import json
import reprlib
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.engine.wording import NoText, bounded, text_of
from notebook_flows.widget.htmltext import says_something, text_in
from notebook_flows.widget.marked import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from notebook_flows.widget.board import Board

LONGEST_REPR = 2_000
LONGEST_TEXT = 20_000
MOST_VALUES = 50
MOST_LINES = 200
MOST_DISPLAYED = 200_000
"""Characters of all outputs together."""
_PICTURES = {
    "image/png": "png",
    "image/jpeg": "png",  # pages go by what is in it
    "image/gif": "png",
    "image/webp": "png",
    "image/svg+xml": "svg",
}
_MARKDOWN, _HTML = "text/markdown", "text/html"
_TEXTS = (_MARKDOWN, "text/latex")
"""Taken where the plain form says only of which class the value is."""
_CODE = (FunctionType, BuiltinFunctionType, type)


class _Short(reprlib.Repr):
    """Looks into large collections no further than it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 20
        self.maxdict = 20
        self.maxlevel = 4
        self.maxstring = LONGEST_REPR
        self.maxother = LONGEST_REPR

    def repr_instance(self, x: Any, level: int) -> str:
        text = _own_repr(x)
        return text if len(text) <= self.maxother else f"{text[: self.maxother]}…"


def _own_repr(value: Any) -> str:
    try:
        return text_of(lambda: repr(value))
    except NoText as problem:
        return f"<{type(value).__name__}, whose __repr__ raises {type(problem.cause).__name__}>"


_SHORT = _Short()


def short_repr(value: Any) -> str:
    """A value for people: cut, and told also where its ``__repr__`` raises.

    >>> short_repr(list(range(1_000_000)))[:9], len(short_repr(list(range(1_000_000)))) < 100
    ('[0, 1, 2,', True)
    """
    try:
        text = _SHORT.repr(value)
    except Exception as error:  # a collection that another thread changes meanwhile
        text = f"<{type(value).__name__}, which cannot be shown now: {type(error).__name__}>"
    return text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}…"


def named_reprs(values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Values by name, the first of them; with where each is from, if that is known."""
    known = sources or {}
    return [
        {"name": name, "repr": short_repr(value), **({"from": known[name]} if name in known else {})}
        for name, value in list(values.items())[:MOST_VALUES]
    ]


def told_names(names: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """A cell's names: values first, of functions and classes the names alone, and no module.

    >>> import math
    >>> told_names({"Kind": int, "math": math, "rows": [1, 2]})
    [{'name': 'rows', 'repr': '[1, 2]'}, {'name': 'Kind'}]
    """
    values = {name: one for name, one in names.items() if not isinstance(one, (*_CODE, ModuleType))}
    code = [name for name, one in names.items() if isinstance(one, _CODE)]
    return [*named_reprs(values, sources), *({"name": name} for name in code[:MOST_VALUES])]


def standing(board: Board, node: int, index: int) -> dict[str, Any]:
    """How a task run stands, and its attempts."""
    number = board.number_of(node, index)
    if number is None:
        return {}
    state = board.state[number]
    told: dict[str, Any] = {"state": int(state), "attempts": _attempts(board, number, state)}
    if number in board.messages:
        told["message"] = board.messages[number]
    took = board.took.get(number) or {}
    if took.get("traceback"):
        told["traceback"] = bounded(str(took["traceback"]), LONGEST_TEXT)
    cached = took.get("cached")
    if isinstance(cached, dict) and "run" in cached:
        told["cached"] = {"run": str(cached["run"]), "saved_s": float(cached.get("saved_us", 0)) / 1e6}
    return told


def _attempts(board: Board, number: int, state: S) -> list[dict[str, Any]]:
    rows = [
        {
            "attempt": one.attempt,
            "started_us": one.started_us,
            "ended_us": one.ended_us,
            "state": int(one.state),
            "message": one.message,
        }
        for one in board.tried.get(number, ())
    ]
    began_us = board.started_us[number]
    if board.attempt[number] and not (rows and rows[-1]["started_us"] == began_us):
        shown = state if state is S.RUNNING or IS_FINAL[state] else None
        rows.append(
            {
                "attempt": board.attempt[number],
                "started_us": began_us,
                "ended_us": board.ended_us[number],
                "state": None if shown is None else int(shown),
                "message": board.messages.get(number, ""),
            }
        )
    return rows


def displays(outputs: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str], str]:
    """What is shown of a task's recorded outputs.

    Args:
        outputs: as the notebook format has them.
    Returns:
        Rich outputs, the last lines that were printed, and the traceback, as plain text.
    """
    shown: list[dict[str, Any]] = []
    printed = traceback = ""
    room = MOST_DISPLAYED
    for one in outputs:
        kind = one["output_type"]
        if kind == "stream":
            printed += str(one["text"])
        elif kind == "error":
            traceback = bounded(without_colours("\n".join(one["traceback"])), LONGEST_TEXT)
        else:
            best = _best(one["data"], room)
            if best is not None:
                room -= _size(best)
                shown.append(best)
    return shown, _as_left(printed)[-LONGEST_TEXT:].splitlines()[-MOST_LINES:], traceback


def _best(data: Mapping[str, Any], room: int) -> dict[str, Any] | None:
    """The best of the forms of an output that fits."""
    plain = _text(data, "text/plain")[:LONGEST_TEXT]
    beside = {"plain": plain} if plain else {}
    for mime, name in _PICTURES.items():
        if mime in data and len(text := _text(data, mime)) <= room:
            return {name: text.strip(), **beside}
    if _MARKDOWN in data and not (_HTML in data and says_something(plain)):
        text = _text(data, _MARKDOWN)
        tree = marked(text) if len(text[:LONGEST_TEXT]) <= room else None
        if tree and _size(told := {"marked": tree}) <= room:
            return told
    if not says_something(plain):
        plain = next((_text(data, mime)[:LONGEST_TEXT] for mime in _TEXTS if mime in data), "") or plain
        if _HTML in data:  # pages show text as text
            plain = text_in(_text(data, _HTML)[:MOST_DISPLAYED])[:LONGEST_TEXT] or plain
    return {"plain": plain} if plain and len(plain) <= room else None


def _size(told: Mapping[str, Any]) -> int:
    """Characters, as it travels."""
    return sum(len(one) if isinstance(one, str) else len(json.dumps(one)) for one in told.values())


def _text(data: Mapping[str, Any], mime: str) -> str:
    found = data.get(mime, "")
    return "".join(found) if isinstance(found, list) else str(found)


def _as_left(printed: str) -> str:
    """What stands there in the end where lines were written over, as bars of progress are."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in printed.split("\n"))


def without_colours(text: str) -> str:
    r"""Text as it is without a terminal's colours.

    >>> without_colours("\x1b[31mred\x1b[0m")
    'red'
    """
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def answered(request: Any, node: Any, index: Any, *told: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a page that wants to know more; what is empty is left out, and what is told later wins."""
    filled = {key: value for one in told for key, value in one.items() if value not in (None, "", [], {})}
    return {"type": "detail", "request": request, "node": node, "index": index, **filled}


def place_of(message: Mapping[str, Any]) -> tuple[int, int] | None:
    """(task, index) that a page asks about, if it makes sense."""
    node, index = message.get("node"), message.get("index", UNMAPPED)
    if not isinstance(node, int) or isinstance(node, bool):
        return None
    return (node, index) if isinstance(index, int) and not isinstance(index, bool) else (node, UNMAPPED)
