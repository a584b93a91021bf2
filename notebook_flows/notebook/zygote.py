"""A process that has imported what every Python kernel needs, and forks fresh kernels when it is asked to.

It is run as a file, by the kernel's own interpreter, which may know nothing of notebook_flows; so it imports nothing of
ours, and what it holds is what a kernel holds that has just begun. It starts no thread: a fork copies only one.

It hears requests on a socket, a line of JSON each: {"number", "argv", "cwd", "env", "log"}. It answers {"number",
"pid"} or {"number", "error"}; and {"ended": pid, "status"} when one has ended. When the socket closes, its owner is
gone: it ends, with all its kernels.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
import threading
from typing import Any

NEEDED = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.iostream",
    "IPython.core.oinspect",
)
HELPFUL = (
    # What a kernel imports anyway while it starts, in some versions of ipykernel and IPython.
    "ipykernel.debugger", "ipykernel.eventloops", "IPython.extensions.storemagic", "IPython.core.completerlib",
    "IPython.core.debugger", "tornado.platform.asyncio", "tornado.queues", "sqlite3", "pdb", "faulthandler", "resource",
)  # fmt: skip


def main() -> None:
    """Serve until the socket closes."""
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH120, PTH100 - as Python has put it there
        del sys.path[0]
    channel = socket.socket(fileno=int(sys.argv[1]))
    before = dict(os.environ)
    for name in NEEDED:
        importlib.import_module(name)
    for name in HELPFUL:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is here already is not looked at again in any kernel, and so stays shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Zygote(channel, {name: value for name, value in os.environ.items() if name not in before}).serve()


class _Zygote:
    """Forks, and tells what becomes of those that it has forked.

    Args:
        channel: to its owner.
        added: variables that the imports have set, as they do in every kernel.
    """

    def __init__(self, channel: socket.socket, added: dict[str, str]) -> None:
        self._channel = channel
        self._added = added
        self._rest = b""
        self._kernels: set[int] = set()
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Until the owner is gone."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            self._tell({"ready": os.getpid()})
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                    self._reap()
                if self._channel in ready and not self._hear():
                    break
        for pid in self._kernels:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

    def _hear(self) -> bool:
        text = self._channel.recv(65_536)
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            self._begin(json.loads(line))
        return bool(text)

    def _begin(self, wish: dict[str, Any]) -> None:
        if threading.active_count() > 1:
            self._tell({"number": wish["number"], "error": "it has threads, and a fork would lose them"})
            return
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"number": wish["number"], "error": str(error)})
            return
        if pid == 0:
            code = 1
            try:
                self._become_kernel(wish)
                code = 0
            except SystemExit as exit_:
                code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
            except BaseException:  # told in the kernel's log, as the interpreter would
                sys.excepthook(*sys.exc_info())
            finally:
                _finish(code)
        self._kernels.add(pid)
        self._tell({"number": wish["number"], "pid": pid})

    def _become_kernel(self, wish: dict[str, Any]) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for handle in (self._woken, self._wakes):
            os.close(handle)
        self._channel.close()
        log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(log)
        os.close(nothing)
        os.environ.clear()
        os.environ.update({**self._added, **wish["env"], "JPY_PARENT_PID": str(os.getppid())})
        os.chdir(wish["cwd"])
        importlib.invalidate_caches()  # something may have been installed since
        launcher = importlib.util.find_spec("ipykernel_launcher")
        sys.argv[:] = [(launcher and launcher.origin) or "ipykernel_launcher", *wish["argv"]]
        self._kernels.clear()
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(parent_handle=os.getppid())  # its default was read when ipykernel was imported

    def _reap(self) -> None:
        while self._kernels:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._kernels.discard(pid)
            self._tell({"ended": pid, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, what: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the owner is gone; seen when the socket is read
            self._channel.sendall(json.dumps(what).encode() + b"\n")


def _finish(code: int) -> None:
    """End the forked process as the interpreter would end: what is registered for its end runs."""
    import atexit

    try:
        threading._shutdown()  # type: ignore[attr-defined] # waits for the user's threads, as the interpreter does
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        code = code or 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
