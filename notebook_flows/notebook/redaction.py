"""Keeps the values of secrets out of everything that a kernel says."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "***"
SHORTEST = 4
"""Values with fewer characters are not looked for: they would turn up everywhere."""
SHORTEST_LINE = 8
"""A secret of several lines, such as a private key, is also hidden line by line, from this length on."""


class Redactor:
    """Replaces the values of some secrets, however they are written, by ``***``.

    >>> Redactor(["hunter2"]).text("the password is hunter2")
    'the password is ***'

    Args:
        values: of the secrets; what is no text is looked for as Python writes it.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        spellings = sorted({one for value in values for one in _spellings(value)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, spellings))) if spellings else None
        self._bytes = tuple(
            {
                one.encode(code, "replace")
                for one in spellings
                for code in ("utf-8", "utf-16-le", "utf-32-le", "latin-1")
            }
        )
        self._beginnings = frozenset(one[:length] for one in spellings for length in range(1, len(one)))
        self._longest = max(map(len, spellings), default=0)

    def __bool__(self) -> bool:
        return self._pattern is not None

    def text(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def is_in(self, content: bytes) -> bool:
        """Whether one of them is somewhere in some bytes, which need not be text."""
        return any(one in content for one in self._bytes)

    def value(self, value: Any) -> Any:
        """A JSON value without them: texts in it, and names of fields."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self._pattern.sub(MASK, value)
        if isinstance(value, dict):
            return type(value)({self.value(name): self.value(one) for name, one in value.items()})
        if isinstance(value, (list, tuple)):
            return [self.value(one) for one in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return MASK if self._pattern.fullmatch(str(value)) else value
        return value

    def held_back(self, text: str) -> int:
        """How many characters at the end may be the beginning of a secret, whose rest is still to come."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if text[-length:] in self._beginnings:
                return length
        return 0


class StreamRedactor:
    """The printed text of one cell, which comes in pieces: a secret may be cut anywhere.

    Args:
        redactor: knows the secrets.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._rest: dict[str, str] = {}

    def feed(self, name: str, text: str) -> str:
        """What of it, and of what was held back, can be shown now."""
        whole = self._redactor.text(self._rest.pop(name, "") + text)
        held = self._redactor.held_back(whole)
        if not held:
            return whole
        self._rest[name] = whole[-held:]
        return whole[:-held]

    def end(self) -> Mapping[str, str]:
        """{stream: what was held back}; nothing more comes."""
        rest, self._rest = self._rest, {}
        return rest


def _spellings(value: Any) -> set[str]:
    """The ways in which a value turns up in texts."""
    text = value if isinstance(value, str) else value.decode(errors="replace") if isinstance(value, bytes) else None
    if text is None:
        return {one for one in (str(value), repr(value)) if len(one) >= SHORTEST}
    if len(text) < SHORTEST:
        return set()
    found = {text, *(line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST_LINE)}
    for _ in range(2):  # JSON inside of a repr, for example
        found |= {spelling for one in found for spelling in _spelt(one)}
    return {one for one in found if len(one) >= SHORTEST}


def _spelt(text: str) -> tuple[str, ...]:
    return (
        repr(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        html.escape(text, quote=False),
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
        base64.b64encode(text.encode(errors="replace")).decode(),
    )
