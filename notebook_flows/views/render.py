"""The process that lays pictures out: ``python -m notebook_flows.views.render [LIFE]``.

Graphviz is C code that may take for ever or crash; here it takes nobody along. One request after the other comes in as a
line of JSON, {"source": DOT, "format": "svg", "limit_s": 20}; an answer goes out as 5 bytes (ok, length) and the
picture, or the sentence that says why there is none. The process ends when its input closes, when a layout takes longer
than its limit, when it has had nothing to do for a while, and at once when its parent ends.
"""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, NamedTuple

HEADER = struct.Struct("!?I")
IDLE_S = 600.0
GRACE_S = 2.0
"""The parent stops a layout at its limit; this process stops itself so much later, should the parent be gone."""


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        is_ok: there is a picture.
        content: the picture, or a sentence in UTF-8.
    """

    is_ok: bool
    content: bytes


def main() -> None:
    """Serve one parent until it closes our input."""
    if len(sys.argv) > 1:
        _die_when_closed(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("wb") as nothing, tempfile.TemporaryFile() as said:
        os.dup2(nothing.fileno(), 1)  # nothing that a library prints gets between the answers
        os.dup2(said.fileno(), 2)
        while True:
            faulthandler.dump_traceback_later(IDLE_S, exit=True, file=nothing.fileno())
            line = sys.stdin.buffer.readline()
            if not line:
                return
            request = json.loads(line)
            # a thread of C code that needs no GIL: Graphviz keeps that for as long as it works
            faulthandler.dump_traceback_later(request["limit_s"] + GRACE_S, exit=True, file=nothing.fileno())
            answer = drawn(request["source"], request["format"], request["limit_s"], said)
            answers.write(HEADER.pack(answer.is_ok, len(answer.content)) + answer.content)
            answers.flush()


def drawn(source: str, format_name: str, limit_s: float, said: IO[bytes]) -> Answer:
    """Lay out and draw: with ``dot`` where it is installed and works, else with the libraries inside pygraphviz.

    Args:
        source: DOT.
        format_name: as Graphviz names it.
        limit_s: for ``dot``.
        said: the file that is our standard error.
    """
    dot = shutil.which("dot")
    if dot:
        answer = _with_dot(dot, source, format_name, limit_s)
        if answer.is_ok:
            return answer
    said.seek(0)
    said.truncate()
    return _with_libraries(source, format_name, said)


def _with_dot(dot: str, source: str, format_name: str, limit_s: float) -> Answer:
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the source goes in as input
            [dot, f"-T{format_name}"], input=source.encode(), capture_output=True, timeout=limit_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(False, f"{type(error).__name__}: {error}".encode())
    is_ok = done.returncode == 0 and bool(done.stdout)
    return Answer(is_ok, done.stdout if is_ok else done.stderr)


def _with_libraries(source: str, format_name: str, said: IO[bytes]) -> Answer:
    try:
        import pygraphviz
    except ImportError as error:
        return Answer(False, f"Graphviz is not installed: {error}. `pip install pygraphviz` brings it.".encode())
    graph: Any = None
    try:
        graph = pygraphviz.AGraph(string=source)
        return Answer(True, graph.draw(format=format_name, prog="dot"))
    except Exception as error:
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").splitlines() if line.startswith("Error")]
        return Answer(False, ("; ".join(lines) or f"{type(error).__name__}: {error}").encode())
    finally:
        if graph is not None:
            graph.close()


def _die_when_closed(life: int) -> None:
    """Have the kernel kill this process group when the parent, who holds the other end of this pipe, has ended."""
    import fcntl
    import signal

    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


if __name__ == "__main__":
    main()
