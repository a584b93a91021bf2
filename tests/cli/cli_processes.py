"""Commands that run as processes of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess

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


SAYS_READY = """
import os, sys, time
from notebook_flows import Flow, task

def begun():
    with open(os.environ["READY"], "wb", buffering=0) as pipe:
        pipe.write(b"!")
"""
