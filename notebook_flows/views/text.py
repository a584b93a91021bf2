"""Text for people's eyes: characters that are safe to show, columns, durations."""

from __future__ import annotations

import re
import unicodedata

LONGEST_SOURCE = 2_000
"""No more characters than these are looked at."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
"""Invisible, but parts of Persian words and of emoji; others of their kind may turn the direction of a whole line."""
_BLANKS = re.compile(r"\s+")


def printable(text: str) -> str:
    r"""One line that shows in a terminal, in DOT and in XML: blanks are single, what cannot be shown becomes �.

    >>> printable("two\n lines,\x1b[31m red")
    'two lines,�[31m red'
    """
    line = _BLANKS.sub(" ", text[:LONGEST_SOURCE]).strip()
    if line.isascii() and line.isprintable():
        return line
    return "".join("�" if unicodedata.category(one) in _INVISIBLE and one not in _JOINERS else one for one in line)


def shortened(text: str, columns: int) -> str:
    """Not more than so many columns; what was left out at the end shows as `…`.

    >>> shortened("a long name", 6)
    'a lon…'
    """
    if columns_of(text) <= columns:
        return text
    kept: list[str] = []
    left = columns - 1
    for one in text:
        left -= columns_of(one)
        if left < 0:
            break
        kept.append(one)
    return "".join(kept) + "…" * (columns > 0)


def columns_of(text: str) -> int:
    """How many columns of a terminal it takes.

    >>> columns_of("漢字"), columns_of("ab")
    (4, 2)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(one) in {"Mn", "Me", "Cf"} else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def padded(text: str, columns: int) -> str:
    """At least so many columns, with blanks at the end."""
    return text + " " * (columns - columns_of(text))


def told_duration(seconds: float) -> str:
    """A duration, in the unit that suits it.

    >>> [told_duration(s) for s in (0.0042, 0.83, 12.34, 75, 7260, 180_000)]
    ['4 ms', '0.8 s', '12 s', '1 min 15 s', '2 h 01 min', '2 d 02 h']
    """
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def stop_watch(seconds: float) -> str:
    """A duration that goes on.

    >>> stop_watch(7.9), stop_watch(75), stop_watch(3_725)
    ('0:07', '1:15', '1:02:05')
    """
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def first_line(text: str) -> str:
    r"""The first line that is not blank, as far as it can be shown.

    >>> first_line("\n no luck\nat row 7")
    'no luck'
    """
    return printable(text.strip().splitlines()[0]) if text.strip() else ""


def child_name(name: str, index: int) -> str:
    """What people call a task run: by its task and, below a mapped one, the child's number.

    >>> child_name("clean", 3), child_name("clean", -1)
    ('clean[3]', 'clean')
    """
    return f"{name}[{index}]" if index >= 0 else name


def counted(number: int, word: str) -> str:
    """A number of things.

    >>> counted(1, "task"), counted(12_000, "task")
    ('1 task', '12,000 tasks')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
