"""Has pictures laid out by Graphviz, in a process of its own that is kept for the next ones."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO

from notebook_flows.errors import FlowError
from notebook_flows.views.render import HEADER, Answer

LIMIT_S = 20.0
"""How long a layout may take."""


class PictureError(FlowError):
    """A picture that cannot be drawn, or written; its DOT source can still be had.

    Attributes:
        reason: one sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Renderer:
    """The process that lays out; started when it is first needed, and again whenever it is gone.

    Args:
        command: what to start, `notebook_flows.views.render` by default.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self._command = command or [sys.executable, "-P", "-m", "notebook_flows.views.render"]
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._is_over = False

    @property
    def pid(self) -> int | None:
        """The process, if one is up."""
        return self._child.process.pid if self._child is not None else None

    def render(self, source: str, format_name: str = "svg", *, limit_s: float = LIMIT_S) -> bytes:
        """Lay DOT out and draw it.

        Args:
            source: DOT.
            format_name: as Graphviz names it: svg, png, pdf...
            limit_s: how long that may take, in seconds.
        Raises:
            PictureError: it takes longer, Graphviz cannot do it, or is not there.
        """
        with self._lock:
            answer = self._asked(source, format_name, limit_s)
        if not answer.is_ok:
            raise PictureError(_told(answer.content.decode(errors="replace"), format_name))
        return answer.content

    def _asked(self, source: str, format_name: str, limit_s: float) -> Answer:
        request = json.dumps({"source": source, "format": format_name, "limit_s": limit_s}).encode() + b"\n"
        child = self._child
        if child is not None and child.owner == os.getpid():
            answer = self._exchanged(child, request, limit_s)
            if answer is not None:
                return answer
        elif child is not None:  # our process is a fork of the one that started it
            child.process.returncode = 0
        if self._is_over:
            raise PictureError("The picture was given up: its program has ended.")
        self._child = child = _started(self._command)
        answer = self._exchanged(child, request, limit_s)
        if answer is None:
            raise PictureError("Graphviz ended without a picture: it may have run out of memory, or was stopped.")
        return answer

    def _exchanged(self, child: _Child, request: bytes, limit_s: float) -> Answer | None:
        """The answer, or None if the process has ended meanwhile."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(limit_s, stop)
        timer.daemon = True
        timer.start()
        answer: Answer | None = None
        try:
            answer = child.exchange(request)
        finally:  # also after Ctrl-C: an answer that comes later must not be taken for that to the next request
            timer.cancel()
            if answer is None:
                self._drop(child)
        if answer is None and late.is_set():
            raise PictureError(f"The picture was given up after {limit_s:g} s: Graphviz was still laying it out.")
        return answer

    def _drop(self, child: _Child) -> None:
        self._child = None
        child.close()

    def close(self) -> None:
        """End the process; the next picture starts another one."""
        child = self._child
        if child is not None and child.owner == os.getpid():
            self._drop(child)

    def end(self) -> None:
        """End the process for good, for this program ends; a thread may still be waiting for a picture."""
        self._is_over = True
        self.close()


class _Child:
    """One such process, and the pipes to it.

    Attributes:
        life: our end of a pipe into which nobody writes; the kernel kills the child when it closes.
        owner: the process that started it.
    """

    def __init__(self, process: subprocess.Popen[bytes], life: int | None) -> None:
        self.process = process
        self.life = life
        self.owner = os.getpid()
        self._closing = threading.Lock()

    def exchange(self, request: bytes) -> Answer | None:
        """Send a request and wait for the answer; None if the process has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(request)
            self.process.stdin.flush()
            header = _all_of(self.process.stdout, HEADER.size)
            if header is None:
                return None
            is_ok, length = HEADER.unpack(header)
            content = _all_of(self.process.stdout, length)
        except (OSError, ValueError):  # ValueError: another thread has closed the pipe
            return None
        return None if content is None else Answer(is_ok, content)

    def kill(self) -> None:
        """End it at once, with what it has started."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def close(self) -> None:
        """End it, and wait until it has. One thread does; others may want to at the same time."""
        if not self._closing.acquire(blocking=False):
            return
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        if self.life is not None:
            os.close(self.life)


def _started(command: list[str]) -> _Child:
    ours: int | None = None
    theirs: list[int] = []
    if os.name == "posix":
        end, ours = os.pipe()
        theirs.append(end)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, *map(str, theirs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=theirs,
            start_new_session=True,  # Ctrl-C at a terminal, or a kernel's interrupt, is not meant for it
            env=_environment(),
        )
    except OSError as error:
        if ours is not None:
            os.close(ours)
        raise PictureError(f"Graphviz cannot be started: {error}.") from error
    finally:
        for end in theirs:
            os.close(end)
    return _Child(process, ours)


def _environment() -> dict[str, str]:
    """The process's environment, in which this very package is found, wherever it was imported from."""
    root = str(Path(__file__).parents[2])
    if root in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        return dict(os.environ)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{root}" if path else root}


def _all_of(pipe: IO[bytes], length: int) -> bytes | None:
    """So many bytes, or None if the other side has ended."""
    content = pipe.read(length)
    return content if len(content) == length else None


def _told(reason: str, format_name: str) -> str:
    """What Graphviz says, as a sentence."""
    if "not recognized" in reason:
        return f"The Graphviz that is installed here cannot write {format_name!r}. Use svg, png, pdf or dot."
    return f"Graphviz could not draw the picture: {' '.join(reason.split())[:500]}"


_renderer = Renderer()
atexit.register(_renderer.end)


def render(source: str, format_name: str = "svg", *, limit_s: float = LIMIT_S) -> bytes:
    """Lay DOT out and draw it, in the one process that this one keeps for it; see `Renderer.render`."""
    return _renderer.render(source, format_name, limit_s=limit_s)


@lru_cache(maxsize=32)
def laid_out(source: str) -> str:
    """DOT as SVG. The last layouts are remembered: asking again for the same flow costs nothing.

    Raises:
        PictureError: it cannot be had.
    """
    return render(source, "svg").decode()
