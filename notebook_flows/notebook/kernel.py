"""A kernel process and the channels to it: started over IPC, watched, interrupted, killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from notebook_flows.notebook.ears import Ear, first_of
from notebook_flows.notebook.errors import NotebookError, UnknownKernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import AsyncKernelManager

    from notebook_flows.notebook.pool import KernelPool

DEFAULT_KERNEL = "python3"
LOOK_EVERY_S = 0.1
LOOK_SOON_S = 0.01
ASK_AGAIN_S = 0.1
SHUTDOWN_S = 5.0
"""How long a kernel may take to end by itself: what its code has left to do at exit is done then."""
LONGEST_SOCKET_FOLDER = 80
TOLD_OF_LOG = 2_000

_KEEP_ALL = """
try:
    (lambda thread: thread.schedule(lambda: thread.socket.setsockopt(23, 100_000)))(get_ipython().kernel.iopub_thread)
    (lambda thread: __import__("atexit").register(
        lambda: thread.is_alive() and (thread.stop(), thread.join(1))
    ))(get_ipython().kernel.control_thread)
except Exception:
    pass  # another kind of kernel: it keeps its own ways
"""
"""Sets SNDHWM where a kernel publishes: by default, what more than 1,000 messages are ahead of us is lost.

And lets it end: its control thread flushes what is printed after the request to shut down, and waits for ever if the
thread that publishes has ended before. So it ends first, once all that the user's code does at exit is done.
"""


class KernelStartError(NotebookError):
    """The kernel did not come up."""

    def __str__(self) -> str:
        return f"The kernel {self.path!r} {self.reason}"


def chosen_kernel(wanted: str | None, notebook: Any, path: object) -> str:
    """The name of the kernel to use: the one asked for, else the notebook's own, else Python's.

    Raises:
        UnknownKernel: it is not installed.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    name = wanted or str(notebook.metadata.get("kernelspec", {}).get("name") or DEFAULT_KERNEL)
    specs = KernelSpecManager()
    try:
        specs.get_kernel_spec(name)
    except (NoSuchKernel, ValueError, KeyError, OSError):  # ValueError: a name that can be none
        raise UnknownKernel(path, name, sorted(specs.find_kernel_specs())) from None
    return name


class Kernel:
    """One kernel, used on one asyncio loop.

    Args:
        name: of an installed kernel.
        cwd: the folder that it works in.
        on_message: called with each message that it publishes.
        on_reply: called with each answer on its shell channel.
        pool: where it comes from; None: it is started from nothing.

    Attributes:
        died: becomes done when the process has ended; its result is a sentence that says how.
        client: sends to it.
    """

    died: asyncio.Future[str]
    client: BlockingKernelClient
    _published: Ear
    _replies: Ear
    _context: Any
    _manager: AsyncKernelManager

    def __init__(
        self,
        name: str,
        *,
        cwd: Path,
        on_message: Callable[[dict[str, Any]], None],
        on_reply: Callable[[dict[str, Any]], None],
        pool: KernelPool | None = None,
    ) -> None:
        self.name = name
        self._pool = pool
        self._cwd = cwd
        self._on_message = on_message
        self._on_reply = on_reply
        self._folder: Path | None = None
        self._log: IO[bytes] | None = None
        self._process: Any = None
        self._group: int | None = None
        self._launching: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_ready = False
        self._is_subscribed = asyncio.Event()
        self._info: asyncio.Future[dict[str, Any]] | None = None
        self._info_ids: set[str] = set()
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def start(self, timeout_s: float) -> dict[str, Any]:
        """Start the process and wait until it answers: what it says about itself.

        Raises:
            KernelStartError: it ended, or did not answer in time.
        """
        self.died = asyncio.get_running_loop().create_future()
        try:
            self._launching = asyncio.create_task(self._launch())
            await asyncio.shield(self._launching)  # begun is begun: `close` has to know of the process
        except Exception as error:  # a command that is not there, a provisioner of somebody else's
            raise KernelStartError(self.name, f"could not be started: {error}.") from error
        self._watcher = asyncio.create_task(self._watch())
        self._published = Ear(self.client.iopub_channel, self._heard)
        self._replies = Ear(self.client.shell_channel, self._answered)
        try:
            info = await asyncio.wait_for(self._until_ready(), timeout_s)
        except TimeoutError:
            raise KernelStartError(self.name, f"did not answer within {timeout_s:g} s.{self._last_words()}") from None
        if info.get("implementation") == "ipython":
            self.execute_silently(_KEEP_ALL)
        self._is_ready = True
        return info

    async def _launch(self) -> None:
        import zmq
        from jupyter_client.blocking.client import BlockingKernelClient
        from jupyter_client.manager import AsyncKernelManager

        self._folder = _socket_folder()
        self._log = (self._folder / "kernel.log").open("wb")
        transport = "tcp" if sys.platform == "win32" else "ipc"
        self._manager = AsyncKernelManager(
            kernel_name=self.name,
            transport=transport,
            connection_file=str(self._folder / "k.json"),
            shutdown_wait_time=SHUTDOWN_S,
        )
        if self._pool is not None:
            self._pool.provide(self._manager)
        arguments = ["--HistoryManager.hist_file=:memory:"] if self._manager.ipykernel else []
        await self._manager.start_kernel(
            extra_arguments=arguments, cwd=str(self._cwd), stdout=self._log, stderr=self._log
        )
        self._process = getattr(self._manager.provisioner, "process", None)
        self._group = getattr(self._manager.provisioner, "pgid", None)
        self._context = zmq.Context()
        self._context.setsockopt(zmq.RCVHWM, 0)  # else a flood of messages is cut short in silence; see also _KEEP_ALL
        self._context.setsockopt(zmq.RECONNECT_IVL, 10)  # ms; the kernel's sockets come a moment after we ask for them
        self.client = BlockingKernelClient(context=self._context, session=self._manager.session)
        self.client.load_connection_info(self._manager.get_connection_info())
        self.client.start_channels(stdin=False, hb=False, control=False)

    async def _until_ready(self) -> dict[str, Any]:
        """Ask until it has answered, and we have heard it publish."""
        self._info = asyncio.get_running_loop().create_future()
        subscribed = asyncio.create_task(self._is_subscribed.wait())
        try:
            while True:
                self._info_ids.add(self._send("kernel_info_request", {}))
                await first_of(self.died, self._info)
                if self.died.done():
                    raise KernelStartError(self.name, f"did not start: {self.died.result()}.{self._last_words()}")
                await asyncio.wait({subscribed}, timeout=ASK_AGAIN_S)
                if subscribed.done():
                    return self._info.result()
        finally:
            subscribed.cancel()

    def _send(self, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
        message = self.client.session.msg(kind, content, metadata=metadata)
        self.client.shell_channel.send(message)
        self._replies.listen_soon()
        return str(message["header"]["msg_id"])

    async def ask(self, code: str, timeout_s: float) -> dict[str, Any]:
        """Let it run code of ours, of which nothing is shown or counted: the content of its answer.

        Raises:
            KernelStartError: it died, or did not answer in time.
        """
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        number = self.execute_silently(code)
        self._asked[number] = answer
        await first_of(answer, self.died, timeout_s=timeout_s)
        self._asked.pop(number, None)
        if answer.done():
            return answer.result()
        how = self.died.result() if self.died.done() else f"it did not answer within {timeout_s:g} s"
        raise KernelStartError(self.name, f"could not be made ready: {how}.{self._last_words()}")

    async def refuses(self, code: str, *, unless: asyncio.Future[Any]) -> bool:
        """Let it run code of ours: whether that fails. No time is too long, for it may be busy.

        Args:
            code: of which nothing is shown or counted.
            unless: once it is done, nobody wants to know.
        """
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        number = self.execute_silently(code)
        self._asked[number] = answer
        try:
            await first_of(answer, unless, self.died)
        finally:
            self._asked.pop(number, None)
        return answer.done() and answer.result().get("status") == "error"

    def execute(self, code: str, *, cell_id: str, stop_on_error: bool, more: dict[str, Any] | None = None) -> str:
        """Let it run some code; the id that all messages about it have as their parent's.

        Args:
            code: of the cell.
            cell_id: its id in the notebook.
            stop_on_error: what was asked for meanwhile is not to run, if this fails.
            more: for the request's metadata.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": stop_on_error,
        }
        return self._send("execute_request", content, {"cellId": cell_id, **(more or {})})

    def execute_silently(self, code: str) -> str:
        """Let it run some code that leaves no trace: no count, no history, no outputs; the request's id."""
        return self._send(
            "execute_request", {"code": code, "silent": True, "store_history": False, "allow_stdin": False}
        )

    # -- hearing it ------------------------------------------------------------------------------------------------

    def _heard(self, message: dict[str, Any]) -> None:
        self._is_subscribed.set()
        self._on_message(message)
        self._replies.listen_soon()  # an Output widget may have sent something

    def _answered(self, message: dict[str, Any]) -> None:
        parent = message["parent_header"].get("msg_id")
        if parent in self._asked:
            if not self._asked[parent].done():
                self._asked[parent].set_result(message["content"])
        elif parent not in self._info_ids:
            self._on_reply(message)
        elif self._info is not None and not self._info.done():
            self._info.set_result(message["content"])

    async def _watch(self) -> None:
        while True:
            if not await self._manager.is_alive():
                break
            await asyncio.sleep(LOOK_EVERY_S)
        if not self.died.done():
            self.died.set_result(self._how_it_died())

    def _how_it_died(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "its process has ended"
        if code >= 0:
            return f"its process ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = ", perhaps because the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its process was killed by signal {-code} ({name}){hint}"

    def _last_words(self) -> str:
        text = self.last_words().strip()
        return f" Its last words: {text.splitlines()[-1]}" if text else ""

    def last_words(self) -> str:
        """The end of what the process itself has written, outside of any cell."""
        if self._folder is None:
            return ""
        with contextlib.suppress(OSError):
            return (self._folder / "kernel.log").read_bytes()[-TOLD_OF_LOG:].decode(errors="replace")
        return ""

    # -- ending it -------------------------------------------------------------------------------------------------

    async def interrupt(self, *, only_itself: bool = False) -> None:
        """Raise KeyboardInterrupt in its code, also where that sleeps in an `await`.

        Args:
            only_itself: not in the processes that it has started, too.
        """
        if only_itself and self._process is not None and sys.platform != "win32":
            with contextlib.suppress(OSError):  # it may be dead already
                os.kill(self._process.pid, signal.SIGINT)
        else:
            with contextlib.suppress(Exception):  # as above
                await self._manager.interrupt_kernel()
        # ipykernel takes notice of the signal on its event loop, which a signal does not wake; a request does
        self._info_ids.add(self._send("kernel_info_request", {}))

    def kill_now(self) -> None:
        """End its process, and what it has started, at once; may be called from any thread."""
        astray = self._in_other_groups()
        if self._group is not None and hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self._group, signal.SIGKILL)
        elif self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
        for process in astray:
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                process.kill()

    def _in_other_groups(self) -> list[psutil.Process]:
        """What it has started, with what is in groups of its own, as a command of `!` in a task: a kill of ours misses it."""
        if self._process is None:
            return []
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:  # it has ended
            return []

    async def kill(self) -> None:
        """End its process, and wait until it has ended."""
        self.kill_now()
        if self._watcher is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.died), 1)

    def _reaped(self) -> None:
        """Take the ended process's exit code, so that no zombie stays."""
        with contextlib.suppress(Exception):  # somebody else has done it
            self._process.wait(1)

    async def close(self, *, at_once: bool, patience_s: float = SHUTDOWN_S) -> None:
        """End the process, and leave nothing behind.

        Args:
            at_once: kill it.
            patience_s: else, how long it may take to end by itself.
        """
        if self._launching is not None:
            await asyncio.gather(self._launching, return_exceptions=True)
        try:
            if at_once or not self._is_ready:
                await self.kill()
            elif self._process is not None and not self.died.done():
                with contextlib.suppress(Exception):  # a connection that is gone; killed below if it does not go
                    await self._manager.request_shutdown()
                if not await self._ends_within(patience_s):
                    await self.kill()
                with contextlib.suppress(Exception):  # nothing is left to clean up
                    await self._manager.cleanup_resources()
            elif not self.died.done():
                self._manager.shutdown_wait_time = patience_s
                with contextlib.suppress(Exception):  # as above
                    await self._manager.shutdown_kernel(now=False)
        finally:
            if self._watcher is not None:
                self._watcher.cancel()
                await asyncio.gather(self._watcher, return_exceptions=True)
                self._published.close()
                self._replies.close()
            if self._process is not None:
                await asyncio.get_running_loop().run_in_executor(None, self._reaped)
            self._clean_up()

    async def _ends_within(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while self._process.poll() is None:
            if loop.time() > until_s:
                return False
            await asyncio.sleep(LOOK_SOON_S)
        return True

    def _clean_up(self) -> None:
        manager = getattr(self, "_manager", None)
        if hasattr(self, "client"):
            self.client.stop_channels()
            self._context.destroy(linger=0)
        if manager is not None:
            with contextlib.suppress(Exception):  # sockets that are closed already
                manager.context.destroy(linger=0)
        if self._log is not None:
            self._log.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _socket_folder() -> Path:
    """A folder of our own for sockets, whose paths the system wants short."""
    base = tempfile.gettempdir()
    if len(base) > LONGEST_SOCKET_FOLDER and Path("/tmp").is_dir():  # noqa: S108 - the folder in it is ours alone
        base = "/tmp"  # noqa: S108 - as above
    return Path(tempfile.mkdtemp(prefix="nbflows-", dir=base))
