"""The process that worker processes are forked from: it has imported what they need, so each is up in milliseconds.

Run as ``python -m notebook_flows.executors.nursery SOCKET LIFE PARENT``: two file descriptors and a process id. It has
one thread, runs no user code, and never the parent's script: forking it is safe where forking the parent is not.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import logging
import marshal
import os
import signal
import socket
import sys
from typing import NoReturn

from notebook_flows.executors.frames import REAP, REQUEST
from notebook_flows.executors.worker import Worker


def main() -> None:
    """Serve one parent until it closes the socket."""
    sock, life, parent = map(int, sys.argv[1:])
    die_with(parent, life)
    _become(**marshal.loads(sys.stdin.buffer.read()))  # noqa: S302 - from our own parent
    gc.freeze()
    nursery = socket.socket(fileno=sock)
    me = os.getpid()
    while True:
        request, fds, _, _ = socket.recv_fds(nursery, REQUEST.size, 3)
        if len(request) < REQUEST.size:
            return
        verb, pid = REQUEST.unpack(request)
        if verb == REAP:
            nursery.sendall(REQUEST.pack(REAP, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
        elif os.fork():
            for fd in fds:
                os.close(fd)
        else:
            nursery.close()
            os.close(life)
            _be_worker(me, *fds)


def _be_worker(nursery: int, data: int, control: int, life: int) -> NoReturn:
    os.setsid()
    for fd in (data, control, life):
        os.set_inheritable(fd, False)
    die_with(nursery, life)
    try:
        Worker(data, control).serve()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)  # taking the interpreter down in order costs more than many tasks do


def die_with(parent: int, life: int) -> None:
    """Have the kernel kill this process group when the parent ends, however it ends and whatever runs here.

    The other end of the pipe ``life`` is held by the process whose executor this is, which never writes: when that end
    closes, the kernel signals the whole group. The death signal covers the case that a fork still holds it.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if sys.platform == "linux":
        from ctypes import CDLL

        pr_set_pdeathsig = 1
        CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended before we asked
        os.killpg(0, signal.SIGKILL)


def _become(
    path: list[str], argv: list[str], cwd: str, pythonpath: str | None, log_level: int, preload: list[str]
) -> None:
    """Take over from the parent what an import may depend on, and import what every worker will need."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.path[:] = path
    sys.argv[:] = argv
    if pythonpath is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = pythonpath
    try:
        os.chdir(cwd)
    except OSError as error:  # it was removed since: the task will say what it misses
        print(f"notebook_flows: worker cannot enter {cwd}: {error}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # nothing printed is lost if the process dies
    logging.getLogger().setLevel(log_level)
    for module in preload:
        importlib.import_module(module)


if __name__ == "__main__":
    main()
