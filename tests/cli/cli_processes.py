"""Commands that run as processes of their own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


def heed_ctrl_c() -> None:
    """In a new process: as at a terminal, also where these tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Started(NamedTuple):
    """A command that runs, whose task says by a byte in a pipe that it has begun."""

    process: subprocess.Popen[str]
    ready: int

    def wait_until_begun(self) -> None:
        assert select([self.ready], [], [], 60)[0], "it has not begun within 60 s"
        assert os.read(self.ready, 1) == b"!"

    def end(self) -> tuple[int, str]:
        """The exit code, and what was said on stderr."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def at_terminal(*words: object, answers: Mapping[bytes, bytes], **environment: str) -> tuple[int, bytes]:
    """The exit code of a command in a terminal of its own, and all that was written there.

    Args:
        words: the command, without its first word.
        answers: what is typed when the last that was written is a question.
        environment: variables for the process.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "notebook_flows", *map(str, words)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
            for question, answer in answers.items():
                if shown.endswith(question):
                    os.write(master, answer)
    except OSError:  # Linux tells the end of a terminal like this
        pass
    os.close(master)
    return process.wait(20), shown


SAYS_READY = """
import os, sys, time
from notebook_flows import Flow, task

def begun():
    with open(os.environ["READY"], "wb", buffering=0) as pipe:
        pipe.write(b"!")
"""
