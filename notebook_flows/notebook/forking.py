"""Kernels forked from a process that has imported what they need: each is fresh, and costs a seventh of the CPU time."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jupyter_client.manager import AsyncKernelManager

CAN_FORK = sys.platform == "linux"
"""Elsewhere a process that has loaded the system's frameworks must not fork and go on."""
ZYGOTE = Path(__file__).with_name("zygote.py")
LAUNCHER = ("-m", "ipykernel_launcher")
READY_S = 30.0
_AT_START = ("PYTHON", "LC_", "LD_", "LANG", "TZ", "MALLOC_", "OMP_", "IPY", "JUPYTER", "PYDEVD", "DEBUGPY")
"""Variables by which a process is shaped before it could hear of others: a kernel gets a zygote that began with its own."""


class ForkError(Exception):
    """A kernel could not be forked; it can be started in the ordinary way."""


class ForkedProcess:
    """A forked kernel's process, as `subprocess.Popen` shows one; its exit code comes from the zygote."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._has_ended = threading.Event()

    def ended(self, code: int) -> None:
        """It has."""
        if not self._has_ended.is_set():
            self.returncode = code
            self._has_ended.set()

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended by then.
        """
        if not self._has_ended.wait(timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended: its number may be somebody else's by now."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """A process from which kernels of one interpreter are forked; any thread may use it.

    Args:
        command: the interpreter, and its own options.
        env: the environment in which it begins.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._lock = threading.Lock()
        self._numbers = 0
        self._asked: dict[int, concurrent.futures.Future[ForkedProcess]] = {}
        self._kernels: dict[int, ForkedProcess] = {}
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._is_gone = False
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter of an installed kernel
                [*command, str(ZYGOTE), str(theirs.fileno())],
                env={**env, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._thread = threading.Thread(target=self._hear, name="notebook-flows-zygote", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Return when it can fork.

        Raises:
            ForkError: it cannot.
        """
        try:
            self._ready.result(READY_S)
        except (concurrent.futures.TimeoutError, ForkError) as error:
            raise ForkError(f"nothing can be forked: {error}") from error

    def fork(self, *, argv: Sequence[str], cwd: str, env: Mapping[str, str], log: str) -> ForkedProcess:
        """A fresh kernel process.

        Raises:
            ForkError: it could not be forked.
        """
        self.wait_until_ready()
        answer: concurrent.futures.Future[ForkedProcess] = concurrent.futures.Future()
        with self._lock:
            if self._is_gone:
                raise ForkError("the process to fork from is gone")
            self._numbers += 1
            self._asked[self._numbers] = answer
            wish = {"number": self._numbers, "argv": list(argv), "cwd": cwd, "env": dict(env), "log": log}
            try:
                self._channel.sendall(json.dumps(wish).encode() + b"\n")
            except OSError as error:
                raise ForkError(str(error)) from error
        try:
            return answer.result(READY_S)
        except concurrent.futures.TimeoutError as error:
            raise ForkError("the process to fork from does not answer") from error

    def _hear(self) -> None:
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        with self._lock:
            self._is_gone = True
            asked, self._asked = self._asked, {}
            kernels, self._kernels = self._kernels, {}
        gone = ForkError(f"the process to fork from ended with code {self._process.wait()}")
        if not self._ready.done():
            self._ready.set_exception(gone)
        for answer in asked.values():
            answer.set_exception(gone)
        for kernel in kernels.values():
            kernel.ended(-signal.SIGKILL)

    def _take(self, told: dict[str, Any]) -> None:
        if "ready" in told:
            self._ready.set_result(None)
            return
        if "ended" in told:
            with self._lock:
                kernel = self._kernels.pop(told["ended"], None)
            if kernel is not None:
                kernel.ended(told["status"])
            return
        with self._lock:
            answer = self._asked.pop(told["number"])
            if "pid" in told:
                made = self._kernels[told["pid"]] = ForkedProcess(told["pid"])
        if "pid" in told:
            answer.set_result(made)
        else:
            answer.set_exception(ForkError(told["error"]))

    def close(self) -> None:
        """End it, and all its kernels."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self._thread.join(2)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._channel.close()


class ForkingProvisioner(LocalProvisioner):
    """As Jupyter's own for this machine, but its process is forked where that can be done.

    Attributes:
        zygotes: where the process to fork from is found.
    """

    zygotes: Zygotes

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel, forked or in the ordinary way."""
        import asyncio

        loop = asyncio.get_running_loop()
        try:
            process = await loop.run_in_executor(None, self.zygotes.forked, cmd, kwargs)
        except ForkError:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment] # it behaves as a Popen
        self.pid = self.pgid = process.pid  # a session of its own
        return self.connection_info


class Zygotes:
    """The processes to fork from, one for each interpreter and surroundings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Any, ...], Zygote] = {}
        self._is_closed = False

    def provisioner_for(self, manager: AsyncKernelManager) -> ForkingProvisioner | None:
        """What is to start the manager's kernel; None: what would do so anyway."""
        spec = manager.kernel_spec
        if not CAN_FORK or spec is None or "kernel_provisioner" in spec.metadata or not _is_ipykernel(spec.argv):
            return None
        manager.kernel_id = str(uuid.uuid4())
        made = ForkingProvisioner(kernel_id=manager.kernel_id, kernel_spec=spec, parent=manager)
        made.zygotes = self
        return made

    def forked(self, command: Sequence[str], options: Mapping[str, Any]) -> ForkedProcess:
        """A fresh kernel process for a command that starts one.

        Raises:
            ForkError: this one cannot be forked.
        """
        place = _launcher_in(command)
        if place is None:
            raise ForkError("the command starts no kernel that we know")
        env = options.get("env") or os.environ
        zygote = self.zygote(command[:place], env)
        argv = command[place + len(LAUNCHER) :]
        return zygote.fork(argv=argv, cwd=str(options.get("cwd") or Path.cwd()), env=env, log=options["stdout"].name)

    def zygote(self, interpreter: Sequence[str], env: Mapping[str, str]) -> Zygote:
        """The one for this interpreter in these surroundings; it is started if there is none yet."""
        shaped_by = tuple(sorted(item for item in env.items() if item[0].startswith(_AT_START)))
        with self._lock:
            if self._is_closed:
                raise ForkError("the pool is closed")
            key = (tuple(interpreter), shaped_by)
            if key not in self._known:
                try:
                    self._known[key] = Zygote(interpreter, env)
                except OSError as error:
                    raise ForkError(str(error)) from error
            return self._known[key]

    def close(self) -> None:
        """End them all."""
        with self._lock:
            self._is_closed = True
            known, self._known = self._known, {}
        for zygote in known.values():
            zygote.close()


def _is_ipykernel(argv: Sequence[str]) -> bool:
    return _launcher_in(argv) is not None


def _launcher_in(command: Sequence[str]) -> int | None:
    """Where ``-m ipykernel_launcher`` stands in a command, behind the interpreter and options of its own."""
    for place in range(1, len(command) - 1):
        if tuple(command[place : place + 2]) == LAUNCHER:
            return place
        if not command[place].startswith("-"):
            return None
    return None
