"""The commands of ``!`` in a task: their output comes while they run, and they end when the task is stopped."""

from __future__ import annotations

import codecs
import os
import pty
import select
import signal
import subprocess
import termios
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from notebook_flows.errors import ShellCommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_S = 0.05
"""How often a command is looked at whose output stays open, held by a process that it has left behind."""
GRACE_S = 0.2
"""How long a command that is stopped may take after SIGINT, and again after SIGTERM."""
CHUNK = 65_536


class Command:
    """One command line, in a shell and a process group of its own.

    Args:
        line: for the user's shell.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.was_stopped = False

    def run(self, write: Callable[[str], object]) -> int:
        """Runs it, and writes what it prints as it does; on a terminal, where programs do so line by line.

        Returns:
            The exit code; negative: the signal that ended it.
        """
        ours, theirs = pty.openpty()
        try:
            process = self._start(ours, theirs)
            self._follow(process, ours, write)
            return _exit_code(process.wait())
        except BaseException:  # an interrupt, or an error of whoever takes the text
            self.stop()
            raise
        finally:
            os.close(ours)

    def output(self) -> tuple[str, int]:
        """Runs it; what it has printed to both of its streams, and the exit code."""
        process = self._popen(subprocess.PIPE, subprocess.STDOUT)
        try:
            raw, _ = process.communicate()
        except BaseException:
            self.stop()
            raise
        return raw.decode("utf-8", "replace"), _exit_code(process.returncode)

    def stop(self) -> None:
        """Ends it, and all that it has started in its group; from any thread."""
        with self._lock:
            self.was_stopped = True
            process = self._process
        if process is None:
            return
        if process.poll() is not None:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            _signal_group(process, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
                break
        _signal_group(process, signal.SIGKILL)  # what has not heard, and what has outlived its shell
        process.wait()

    def _start(self, ours: int, theirs: int) -> subprocess.Popen[bytes]:
        try:
            attributes = termios.tcgetattr(theirs)
            attributes[1] &= ~termios.OPOST  # a newline is a newline
            termios.tcsetattr(theirs, termios.TCSANOW, attributes)
            return self._popen(theirs, theirs)
        finally:
            os.close(theirs)

    def _popen(self, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self.was_stopped:
                raise ShellCommandFailed(self.line, -signal.SIGINT, was_stopped=True)
            self._process = subprocess.Popen(  # noqa: S602 - a shell's line is what `!` is given
                self.line,
                shell=True,
                executable=os.environ.get("SHELL"),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            return self._process

    def _follow(self, process: subprocess.Popen[bytes], ours: int, write: Callable[[str], object]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        poller = select.poll()
        poller.register(ours, select.POLLIN)
        raw = b""
        while True:
            if poller.poll(LOOK_S * 1000):
                raw = _read(ours)
                if not raw:
                    break
                write(decoder.decode(raw))
            elif process.poll() is not None:
                break
        write(decoder.decode(b"", final=True))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, CHUNK)
    except OSError:  # how Linux says that nobody has the other end any more
        return b""


def _exit_code(code: int) -> int:
    """As IPython has it: a shell says 128 and more of what was ended by a signal."""
    return 128 - code if code > 128 else code


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of it has just ended
        os.killpg(process.pid, number)
