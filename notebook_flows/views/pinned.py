"""Lines that stay at the bottom of a terminal, while whatever anybody prints scrolls by above them.

The terminal itself keeps the two apart, by its scrolling region: so prints of the user's code, of libraries in C and of
child processes need not pass through us, arrive as they are, and tear nothing.
"""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAVE, _RESTORE = "\x1b7", "\x1b8"
_WHOLE_REGION = f"{_SAVE}\x1b[r{_RESTORE}"  # setting the region moves the cursor home
_CLEAR_BELOW = "\x1b[J"
_DOWN = "\x1bD"  # scrolls at the bottom, and stays in its column
_PLAIN = "\x1b[0m"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
LEFT_FREE = 4
"""So many lines above stay free for what is printed, if the terminal has that many twice."""


def most_lines(rows: int) -> int:
    """How many lines may be pinned in a terminal of so many rows.

    >>> most_lines(40), most_lines(10), most_lines(5), most_lines(1)
    (36, 6, 2, 0)
    """
    return max(rows - LEFT_FREE, rows // 2)


class Pinned:
    """Pinned lines of one terminal. Everything below the cursor is ours, so that nothing need be known of where it is.

    Args:
        fd: a file descriptor of the terminal.
    """

    _open: ClassVar[set[Pinned]] = set()

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pid = os.getpid()
        self._size = (0, 0)
        self._shown: list[str] = []
        self._lock = threading.RLock()
        self._is_gone = False

    def size(self) -> tuple[int, int]:
        """(columns, rows) now."""
        try:
            found = os.get_terminal_size(self._fd)
        except OSError:
            return (80, 24)
        return (found.columns or 80, found.lines or 24)

    @property
    def count(self) -> int:
        """How many lines are pinned."""
        return len(self._shown)

    def show(self, lines: Sequence[str], *, anew: bool = False) -> None:
        """Show these lines; only those that have changed are written.

        Args:
            lines: no more than `most_lines`, none wider than the terminal; they may have colours.
            anew: something may have been written over them.
        """
        with self._lock:
            size = self.size()
            out = ""
            if anew or size != self._size or len(lines) < len(self._shown):
                out += self._let_go()
                self._size = size
            before = self._shown
            if len(lines) > len(before):
                out += self._make_room(len(lines) - len(before), len(lines))
            changed = [number for number, line in enumerate(lines) if self._differs(number, line, lines)]
            if changed or out:
                first = size[1] - len(lines) + 1
                drawn = "".join(f"\x1b[{first + one};1H{_PLAIN}\x1b[2K{lines[one]}" for one in changed)
                out += f"{_SAVE}{_NO_WRAP}{drawn}{_PLAIN}{_WRAP}{_RESTORE}"
                self._shown = list(lines)
                Pinned._open.add(self)
                self.write(out)

    def _differs(self, number: int, line: str, lines: Sequence[str]) -> bool:
        return len(lines) != len(self._shown) or self._shown[number] != line

    def _make_room(self, more: int, count: int) -> str:
        """Lines below the cursor for so many more, which what stands there makes by scrolling up, if it must."""
        bottom = max(self._size[1] - count, 1)
        return f"{_DOWN * more}\x1b[{more}A{_SAVE}\x1b[1;{bottom}r{_RESTORE}"

    def _let_go(self) -> str:
        """Give the terminal back."""
        was_open, self._shown = bool(self._shown), []
        return _WHOLE_REGION + _CLEAR_BELOW if was_open else ""

    def remove(self) -> None:
        """Take them away."""
        with self._lock:
            out = self._let_go()
            Pinned._open.discard(self)
            if out:
                self.write(out)

    def write_below(self, text: str) -> None:
        """Write text below all that was printed, from the beginning of a line on."""
        # blanks over a whole line go on in the next one unless the line was empty: nothing else tells where the cursor is
        self.write(f"{_PLAIN}{' ' * self.size()[0]}\r\x1b[K{text}")

    def write(self, text: str) -> None:
        """Write at the cursor; at once, for what others write may not come in between."""
        if self._is_gone or os.getpid() != self._pid:  # a child that a task has forked off
            return
        data = text.encode()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:  # the terminal was closed: what runs goes on, unseen
            self._is_gone = True


def let_go_of_terminals() -> None:
    """Give all terminals back: the process is about to end."""
    for one in list(Pinned._open):
        with suppress(OSError):
            if one._lock.acquire(timeout=0.1):  # who holds it may never go on
                one._lock.release()
            one.write(one._let_go())


atexit.register(let_go_of_terminals)
