"""A real kernel to talk to, and all that it publishes."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 60

ROUTED = """
import contextlib, logging, os, subprocess, sys, threading, time, warnings
from concurrent.futures import ThreadPoolExecutor
EARLY = logging.StreamHandler()  # holds the sys.stderr of now
def early_default(text, file=sys.stdout): print(text, file=file)
from notebook_flows.session.routing import install, uninstall, routed, unattributed_to
from notebook_flows.session.outputs import CellSink, RecordingSink
install(get_ipython())
sinks = {}
def as_tasks(**bodies):
    '''Runs the functions at the same time, each as a task whose cell's request has its name.'''
    def run(name, body):
        try:
            with routed(CellSink({"msg_id": name, "msg_type": "execute_request"})) as sinks[name]:
                body()
        except BaseException as error:
            failures.append(error)
    failures = []
    threads = [threading.Thread(target=run, args=one) for one in bodies.items()]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    for failure in failures: raise failure
"""


class Kernel:
    """One kernel, used by one test after the other."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "MPLCONFIGDIR": str(folder / "matplotlib")}
        environment.pop("PYTEST_CURRENT_TEST", None)  # a kernel that sees it leaves the file descriptors alone
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "at"))
        self._manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self._manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, code: str, *, until: Callable[[list[Message]], bool] | None = None) -> Answer:
        """What it publishes until it is idle again, and until what the test waits for has come."""
        request = self.client.execute(code)
        published: list[Message] = []
        is_idle = False
        while not is_idle or (until is not None and not until(published)):
            message = Message(self.client.get_iopub_msg(timeout=PATIENCE_S))
            published.append(message)
            is_idle = is_idle or (message.parent == request and message.content.get("execution_state") == "idle")
        return Answer(request, published, self.reply_to(request))

    def reply_to(self, request: str) -> dict[str, Any]:
        """The content of the reply to this request."""
        while (reply := self.client.get_shell_msg(timeout=PATIENCE_S))["parent_header"]["msg_id"] != request:
            pass  # an answer to one of the questions with which a client waits for a kernel
        content: dict[str, Any] = reply["content"]
        return content

    def interrupt(self) -> None:
        """What the stop button does."""
        self._manager.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)


class Message:
    """One message on IOPub."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.kind: str = raw["msg_type"]
        self.content: dict[str, Any] = raw["content"]
        self.parent: str = raw["parent_header"].get("msg_id", "")
        self.header: dict[str, Any] = raw["header"]

    def __repr__(self) -> str:
        return f"{self.kind} {self.content}"


class Answer:
    """All messages between a request and the next."""

    def __init__(self, request: str, published: list[Message], reply: dict[str, Any]) -> None:
        self.published = published
        self.request = request
        self.reply = reply

    def of(self, parent: str | None = None) -> list[Message]:
        """The outputs under a parent; of the request itself unless one is given."""
        wanted = self.request if parent is None else parent
        return [one for one in self.published if one.parent == wanted and one.kind not in {"status", "execute_input"}]

    def text(self, parent: str | None = None, name: str = "stdout") -> str:
        """The printed text under a parent."""
        streams = [one for one in self.of(parent) if one.kind == "stream" and one.content["name"] == name]
        return "".join(one.content["text"] for one in streams)

    def by_parent(self) -> dict[str, str]:
        """Everything printed, to either stream."""
        texts: dict[str, str] = defaultdict(str)
        for one in self.published:
            if one.kind == "stream":
                texts["" if one.parent == self.request else one.parent] += one.content["text"]
        return dict(texts)


def kernels(folder: Path) -> Iterator[Kernel]:
    """One kernel, closed at the end."""
    kernel = Kernel(folder)
    try:
        yield kernel
    finally:
        kernel.close()
