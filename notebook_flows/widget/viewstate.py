"""What a person has chosen in a picture, as its page tells it: checked, and bounded, for the picture that takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST = 200
"""Characters of a name, or of what is searched for."""
MOST = 50
"""Entries of a list."""
LOWEST, HIGHEST = 120, 20_000
"""Pixels of a view's height."""
FARTHEST = 1e6
LEAST_SCALE, MOST_SCALE = 0.01, 100.0
MOST_CHILDREN = 10_000_000
MOST_STATES = 100

_MISSING = object()
"""What makes no sense is as if it had not been told."""


def checked_view(told: Any) -> dict[str, Any]:
    """What of a page's message can be the beginning of another view: known entries, each of its kind and within its bounds.

    >>> checked_view({"tab": "table", "height": 400, "query": 7, "script": "evil()"})
    {'tab': 'table', 'height': 400}
    """
    return _entries(told, _CHECKS)


def _entries(told: Any, checks: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {}
    found = {name: check(told[name]) for name, check in checks.items() if name in told}
    return {name: value for name, value in found.items() if value is not _MISSING}


def _one_of(*known: Any) -> Callable[[Any], Any]:
    return lambda value: next((one for one in known if type(one) is type(value) and one == value), _MISSING)


def _text(value: Any) -> Any:
    return value if isinstance(value, str) and len(value) <= LONGEST else _MISSING


def _whole(least: int, most: int) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is int and least <= value <= most else _MISSING


def _number(least: float, most: float) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        return float(value) if type(value) in {int, float} and least <= value <= most else _MISSING

    return check


def _list_of(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if not isinstance(value, list):
            return _MISSING
        return [one for one in map(check, value[:MOST]) if one is not _MISSING]

    return checked


def _record(**checks: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """All of it, or nothing."""

    def checked(value: Any) -> Any:
        found = _entries(value, checks)
        return found if len(found) == len(checks) else _MISSING

    return checked


_TASK = _whole(0, MOST_CHILDREN)
_PLACE = _number(-FARTHEST, FARTHEST)
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "tab": _one_of("graph", "timeline", "table"),
    "grouping": _one_of("heading", "tag", "name", None),
    "opened": _list_of(_text),
    "position": _record(x=_PLACE, y=_PLACE, scale=_number(LEAST_SCALE, MOST_SCALE), layout=_text),
    "chosen": _record(name=_text, task=_TASK, index=_whole(-1, MOST_CHILDREN)),
    "query": _text,
    "state_filter": _whole(0, MOST_STATES),
    "sort": _one_of("task", "state", "seconds", "attempt", "began", "group"),
    "is_descending": _one_of(True, False),
    "expanded": _list_of(_record(name=_text, task=_TASK)),
    "height": _whole(LOWEST, HIGHEST),
    "sections": _list_of(_text),
}
