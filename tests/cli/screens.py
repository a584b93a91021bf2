"""A command in a terminal, and the screen as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE_S = 60.0


class Screen:
    """A terminal of so many columns and rows in which a command runs."""

    def __init__(self, command: Sequence[str], *, columns: int = 80, rows: int = 24, **environment: str) -> None:
        self._terminal = pyte.HistoryScreen(columns, rows, history=5_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._terminal)
        self._lock = threading.Lock()
        self._master, slave = pty.openpty()
        self._size(columns, rows)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: (
                fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                signal.signal(signal.SIGINT, signal.default_int_handler),
            ),
            env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", **environment},
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # Linux tells the end of a terminal like this
                return
            if not data:
                return
            with self._lock:
                self._stream.feed(data)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            self._terminal.resize(rows, columns)
            self._size(columns, rows)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the blanks at the ends of lines."""
        with self._lock:
            return [line.rstrip() for line in self._terminal.display]

    @property
    def all_lines(self) -> list[str]:
        """What has scrolled away, too; without blank lines."""
        with self._lock:
            columns = range(self._terminal.columns)
            gone = ["".join(line[column].data for column in columns).rstrip() for line in self._terminal.history.top]
            return [line for line in [*gone, *(line.rstrip() for line in self._terminal.display)] if line]

    @property
    def margins(self) -> Any:
        return self._terminal.margins

    def wait_for(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        """The lines once they are as asked."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            lines = self.lines
            if is_so(lines):
                return lines
            time.sleep(0.02)  # what the command draws comes when it comes
        raise AssertionError("never seen; the screen is:\n" + "\n".join(self.lines))

    def end(self) -> int:
        """The exit code, once the command has ended and all of it is on the screen."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE_S)
        os.close(self._master)


def has(text: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(text in line for line in lines)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "notebook_flows", *map(str, arguments)]
