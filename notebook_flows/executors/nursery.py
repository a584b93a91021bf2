"""The process that worker processes are forked from: it has imported what they need, so each is up in milliseconds.

Run as ``python -m notebook_flows.executors.nursery SOCKET PARENT``: a file descriptor and a process id. It has
one thread, runs no user code, and never the parent's script: forking it is safe where forking the parent is not.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import marshal
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from notebook_flows.executors.frames import REAP, REQUEST
from notebook_flows.executors.worker import Worker


def main() -> None:
    """Serve one parent; when it has ended, however it ended, kill the workers with all that is in their groups."""
    sock, parent = map(int, sys.argv[1:])
    _hear_of_the_end_of(parent, signal.SIGTERM)
    _become(**marshal.loads(sys.stdin.buffer.read()))  # noqa: S302 - from our own parent
    gc.freeze()
    nursery = socket.socket(fileno=sock)
    me = os.getpid()
    pids: set[int] = set()

    def end(*_: object) -> NoReturn:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        os._exit(0)  # taking the interpreter down in order costs more than many tasks do

    signal.signal(signal.SIGTERM, end)
    while True:
        request, fds, _, _ = socket.recv_fds(nursery, REQUEST.size, 2)
        if len(request) < REQUEST.size:
            end()
        verb, pid = REQUEST.unpack(request)
        if verb == REAP:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            pids.discard(pid)
            nursery.sendall(REQUEST.pack(REAP, code))
            continue
        pid = os.fork()
        if not pid:
            nursery.close()
            _be_worker(me, *fds)
        pids.add(pid)
        for fd in fds:
            os.close(fd)


def _be_worker(nursery: int, data: int, control: int) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    for fd in (data, control):
        os.set_inheritable(fd, False)
    _hear_of_the_end_of(nursery, signal.SIGKILL)
    code = 1
    try:
        Worker(data, control).serve()
        code = 0
    except OSError as error:  # a task has closed our sockets: nobody hears us any more
        print(f"notebook_flows: worker {os.getpid()} ends: {error}", file=sys.stderr)
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _hear_of_the_end_of(parent: int, number: signal.Signals) -> None:
    """Have the kernel send this signal when the parent ends, even if its forks still hold our sockets open."""
    if sys.platform == "linux":
        from ctypes import CDLL

        pr_set_pdeathsig = 1
        CDLL(None).prctl(pr_set_pdeathsig, number, 0, 0, 0)
    if os.getppid() != parent:  # it has ended before we asked
        os._exit(1)


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
