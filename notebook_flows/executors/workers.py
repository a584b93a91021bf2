"""The parent's end of one worker process."""

from __future__ import annotations

import logging
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections import OrderedDict, deque
from contextlib import suppress
from pathlib import Path
from select import select
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.executors import frames
from notebook_flows.executors.frames import FORK, REAP, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notebook_flows.engine.call import Call
    from notebook_flows.executors.shelf import Thing

KNOWN_BYTES = 128 * 1024 * 1024
KNOWN_COUNT = 4_000
"""How many things a worker keeps; the one used longest ago is forgotten first."""


class WorkerProcess:
    """A process of its own, in a session and a process group of its own, and what it is at.

    Attributes:
        batch: the calls that it has, in order; the first runs.
        link: the link of the first call that runs now.
        pid: its process id; 0 until it is up.
        has_taken: it has taken up the calls it was given last.
        due_s: when it will be killed, by the monotonic clock, because the call's own timeout had no effect.
        progress_s: when it was last heard of, or given work.
        pidfd: readable when the process has ended; -1 before it is up, and where the system has none.
    """

    def __init__(self, nursery: Nursery) -> None:
        ours, theirs = socket.socketpair()
        our_control, their_control = socket.socketpair()
        nursery.fork(theirs.fileno(), their_control.fileno())
        theirs.close()
        their_control.close()
        ours.setblocking(False)
        our_control.setblocking(False)
        self.data = ours
        self._control = our_control
        self._nursery = nursery
        self.reader = frames.FrameReader(ours.fileno())
        self.pid = 0
        self.pidfd = -1
        self.batch: deque[Call] = deque()
        self.link: Call | None = None
        self.began_us = 0
        self.due_s: float | None = None
        self.progress_s = monotonic()
        self.is_recalled = False
        self.has_taken = False
        self._known: OrderedDict[int, int] = OrderedDict()
        self._known_bytes = 0
        self._out: deque[Any] = deque()

    @property
    def is_ready(self) -> bool:
        """It has said who it is."""
        return self.pid > 0

    def introduce(self, pid: int) -> None:
        """It is up, and has this process id."""
        self.pid = pid
        if hasattr(os, "pidfd_open"):
            self.pidfd = os.pidfd_open(pid)

    # -- sending -------------------------------------------------------------------------------------------------------

    def give(self, calls: list[tuple[Call, bytes, tuple[Thing, ...]]]) -> None:
        """Put calls, and those things that they refer to and that it does not know, into the way out."""
        small: list[bytes] = []
        self._forget_old()
        for number, (call, data, needs) in enumerate(calls, 1):
            for buffer in (
                *self._unknown(needs),
                *frames.packed(frames.CALL, (len(calls) - number, call.ref, call.attempt, call.task.name), data),
            ):
                if len(buffer) < frames.BIG:
                    small.append(buffer)
                    continue
                self._out.append(b"".join(small))
                self._out.append(buffer)
                small.clear()
            self.batch.append(call)
        self._out.append(b"".join(small))
        self._begin_next()
        self.is_recalled = False
        self.has_taken = False

    def _unknown(self, needs: Iterable[Thing]) -> Iterable[bytes]:
        for outer in needs:
            for thing in outer.with_needs() if outer.needs else (outer,):
                if thing.number in self._known:
                    self._known.move_to_end(thing.number)
                    continue
                self._known[thing.number] = len(thing.data)
                self._known_bytes += len(thing.data)
                yield from frames.packed(frames.THING, thing.number, thing.data)

    def _forget_old(self) -> None:
        forgotten = []
        while self._known_bytes > KNOWN_BYTES or len(self._known) > KNOWN_COUNT:
            number, size = self._known.popitem(last=False)
            self._known_bytes -= size
            forgotten.append(number)
        if forgotten:
            self._out.extend(frames.packed(frames.FORGET, forgotten))

    def flush(self) -> bool:
        """Send what the socket takes; whether something is left over."""
        while self._out:
            buffer = self._out[0]
            try:
                count = self.data.send(buffer)
            except BlockingIOError:
                return True
            except OSError:  # it has died; whoever looks at the process next will see it
                self._out.clear()
                return False
            if count == len(buffer):
                self._out.popleft()
            else:
                self._out[0] = memoryview(buffer)[count:]
        return False

    def _begin_next(self) -> None:
        self.link = self.batch[0] if self.batch else None
        self.began_us = time_ns() // 1000
        self.progress_s = monotonic()
        self.due_s = None

    def link_ended(self, *, goes_on: bool) -> None:
        """The running link has an outcome: the next link, or the next call, runs now."""
        then = self.link.then if self.link is not None else None
        if goes_on and then is not None:
            self.link = then
            self.began_us = time_ns() // 1000
            self.progress_s = monotonic()
            self.due_s = None
            return
        self.batch.popleft()
        self._begin_next()

    def recall(self) -> None:
        """Ask for the calls that have not begun."""
        self.is_recalled = True
        self._tell(frames.GIVE_BACK)

    def take_back(self, refs: set[tuple[int, int]]) -> list[Call]:
        """The calls that it has given back; what it has ended meanwhile is none of them, what comes next may be."""
        back = [call for call in self.batch if (call.ref, call.attempt) in refs]
        if back:
            is_first = back[0] is self.batch[0]
            for call in back:
                self.batch.remove(call)
            if is_first:
                self._begin_next()
        return back

    def drop(self, ref: int, attempt: int) -> None:
        """Ask it not to begin a link."""
        self._tell(frames.DROP, ref, attempt)

    def _tell(self, verb: bytes, ref: int = 0, attempt: int = 0) -> None:
        with suppress(OSError):  # it has died: nothing is left to be asked of it
            self._control.send(frames.CONTROL.pack(verb, ref, attempt))

    # -- the end -------------------------------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Have it end by itself when its call has ended."""
        with suppress(OSError):
            self.data.shutdown(socket.SHUT_WR)

    def kill(self, also: Iterable[Any] = ()) -> None:
        """Kill the process, its group, and what it has started elsewhere.

        Args:
            also: further psutil processes.
        """
        if not self.is_ready:  # it ends when it finds our ends closed
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGSTOP)  # so that it starts nothing while we look
        doomed = [*self.descendants(), *also]
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in doomed:
            with suppress(Exception):  # gone already, or not ours: psutil looks at its start time, too
                process.kill()

    def descendants(self) -> list[Any]:
        """What it has started and still runs, as psutil processes."""
        if not self.is_ready or not _may_have_children(self.pid):
            return []
        import psutil

        try:
            found: list[Any] = psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []
        return found

    def has_ended(self, within_s: float) -> bool:
        """Whether the process has ended, now or within some seconds."""
        if self.pidfd >= 0:
            return bool(select([self.pidfd], [], [], max(0.0, within_s))[0])
        until_s = monotonic() + within_s
        while self.is_ready and _is_there(self.pid):
            if monotonic() >= until_s:
                return False
            sleep(0.01)
        return True

    def bury(self) -> int | None:
        """Free what it held, once it has ended; its exit code, negative for a signal; None if that is unknown."""
        code = None
        if self.is_ready:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # what it left behind; its id is not used again before it is reaped
            if self.has_ended(within_s=1):  # else the kernel holds it, on a dead network drive for example
                code = self._nursery.reap(self.pid)
        self.data.close()
        self._control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        return code


class Nursery:
    """The process that workers are forked from.

    Args:
        preload: modules that it imports for all of them.
    """

    def __init__(self, preload: list[str]) -> None:
        self._sock, theirs = socket.socketpair()
        self._sock.settimeout(1)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # as multiprocessing does
        command = [sys.executable, *flags, "-P", "-m", "notebook_flows.executors.nursery"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
                [*command, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": _path_to_this_package()},
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            self._sock.close()
            raise
        finally:
            theirs.close()
        setup = {
            "path": list(sys.path),
            "argv": list(sys.argv),
            "cwd": str(Path.cwd()),
            "pythonpath": os.environ.get("PYTHONPATH"),
            "log_level": logging.getLogger().level,
            "preload": preload,
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stdin:  # it died at once: the first worker will show it
            stdin.write(marshal.dumps(setup))

    @property
    def is_alive(self) -> bool:
        """Whether workers can be had from it."""
        return self._process.poll() is None

    def fork(self, *fds: int) -> None:
        """Have a worker forked that gets these file descriptors; if it cannot be, they are closed."""
        with suppress(OSError):
            socket.send_fds(self._sock, [REQUEST.pack(FORK, 0)], fds)

    def reap(self, pid: int) -> int | None:
        """The exit code of a worker that has ended; None if nobody knows it any more."""
        try:
            self._sock.sendall(REQUEST.pack(REAP, pid))
            answer = self._sock.recv(REQUEST.size)
        except OSError:
            return None
        return int(REQUEST.unpack(answer)[1]) if len(answer) == REQUEST.size else None

    def end(self) -> None:
        """End it, and with it what is left of its workers."""
        self._sock.close()
        try:
            self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def said_of(code: int | None) -> str:
    """How a process ended, in words.

    >>> said_of(7)
    'exited with code 7'
    >>> said_of(-11)
    'was killed by SIGSEGV (signal 11)'
    """
    if code is None:
        return "vanished"
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = "a signal"
    hint = "; the system does so when memory runs out" if -code == signal.SIGKILL else ""
    return f"was killed by {name} (signal {-code}){hint}"


def _path_to_this_package() -> str:
    root = str(Path(__file__).parent.parent.parent)
    before = os.environ.get("PYTHONPATH")
    return f"{root}{os.pathsep}{before}" if before else root


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _may_have_children(pid: int) -> bool:
    """False only if the kernel says that it has none; much cheaper than psutil's look at all processes."""
    try:
        return any((thread / "children").read_text() for thread in Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # another kind of Unix, or a kernel without this list
        return True
