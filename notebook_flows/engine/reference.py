"""References to results as they lie in a history: texts, which are read when somebody looks into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_read = json.JSONDecoder().raw_decode  # of what `to_json` has written: no white space around it is to be looked for


class Reference(Mapping[str, Any]):
    """What a reference says; in a run in which nothing has changed nobody asks."""

    __slots__ = ("_read", "_text")
    _read: dict[str, Any]

    def __init__(self, text: str) -> None:
        self._text = text

    def _all(self) -> dict[str, Any]:
        try:
            return self._read
        except AttributeError:
            self._read = _read(self._text)[0]
            return self._read

    def __getitem__(self, key: str) -> Any:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"Reference({self._text!r})"

    def __reduce__(self) -> tuple[type[Reference], tuple[str]]:
        return Reference, (self._text,)


def content_of(reference: Mapping[str, Any] | str) -> Any:
    """The fingerprint of the value that a reference leads to; None: it says none.

    Each link of a chain asks for that of the one before it, and for nothing else. So it is looked for in the text:
    quotation marks within a text in JSON have a backslash before them, those of this pattern have none.

    >>> content_of('{"size":4,"content":"c0ffee"}')
    'c0ffee'
    """
    if not isinstance(reference, str):
        return reference.get("content")
    content, is_whole, _ = reference.partition(',"content":"')[2].partition('"')
    if is_whole and "\\" not in content and reference.find("{", 1) < 0:
        return content
    return Reference(reference).get("content")
