"""A page that has a notebook open, played by a test: runs cells as JupyterLab does, hears widgets, and clicks."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from notebook_flows.core.lifecycle import S

PATIENCE_S = 60
VIEW = "application/vnd.jupyter.widget-view+json"


class OpenPage:
    """One page, one kernel.

    Attributes:
        told: {id of a widget's comm: what it was told, in order}.
        states: {id of a widget's comm: the state it was opened with}.
        shown: {cell: its outputs, as they are now}.
        raw: all that was published, in order.
    """

    def __init__(self, folder: Path, *, allows_stdin: bool = True, place: str = "at") -> None:
        environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
        environment.pop("PYTEST_CURRENT_TEST", None)
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / place))
        self._manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self._manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)
        self._allows_stdin = allows_stdin
        self.clear()

    def clear(self) -> None:
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, list[dict[str, Any]]] = {}
        self.raw: list[dict[str, Any]] = []
        self._cell_of: dict[str, str] = {}
        self._idle: set[str] = set()
        self._clears: set[str] = set()
        self._requests = 0

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    @property
    def pid(self) -> int:
        """Of the kernel."""
        return int(self._manager.provisioner.pid)

    # -- cells ---------------------------------------------------------------------------------------------------------

    def begin(self, cell: str, source: str, *, subshell: str | None = None) -> str:
        """Have a cell run, and do not wait."""
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": self._allows_stdin,
            "stop_on_error": False,
        }
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        request = str(message["header"]["msg_id"])
        self._cell_of[request] = cell
        self.shown[cell] = []
        self._clears.discard(cell)
        self.client.shell_channel.send(message)
        return request

    def run(self, cell: str, source: str, *, subshell: str | None = None) -> None:
        """Run a cell, and take what comes until the kernel is idle again."""
        request = self.begin(cell, source, subshell=subshell)
        self.wait(lambda: request in self._idle)

    def is_idle(self, request: str) -> bool:
        return request in self._idle

    def wait(self, until: Callable[[], bool]) -> None:
        """Take what comes until this is so."""
        deadline_s = monotonic() + PATIENCE_S
        while not until():
            assert monotonic() < deadline_s, "it has not come"
            self._take(self.client.get_iopub_msg(timeout=PATIENCE_S))

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        request = message["parent_header"].get("msg_id", "")
        cell = self._cell_of.get(request)
        self.raw.append(message)
        if kind == "status" and content["execution_state"] == "idle":
            self._idle.add(request)
        elif kind == "comm_open" and content["target_name"] == "jupyter.widget":
            if content["data"]["state"].get("_model_module") == "anywidget":
                self.states[content["comm_id"]] = content["data"]["state"]
                self.told[content["comm_id"]] = []
        elif kind == "comm_msg" and content["comm_id"] in self.told and content["data"].get("method") == "custom":
            self.told[content["comm_id"]].append(content["data"]["content"])
        elif kind == "clear_output" and cell is not None:
            if content["wait"]:
                self._clears.add(cell)
            else:
                self.shown[cell] = []
        elif kind in {"stream", "display_data", "execute_result", "error"} and cell is not None:
            if cell in self._clears:
                self._clears.discard(cell)
                self.shown[cell] = []
            self.shown[cell].append(content)
        elif kind == "update_display_data":
            wanted = content["transient"]["display_id"]
            for one in (one for outputs in self.shown.values() for one in outputs):
                if one.get("transient", {}).get("display_id") == wanted:
                    one["data"] = content["data"]

    def text(self, cell: str) -> str:
        """What was printed and raised below a cell."""
        return "".join(one.get("text", "") + one.get("evalue", "") for one in self.shown[cell])

    def value(self, expression: str) -> str:
        """The repr of an expression in the kernel, by no cell."""
        request = self.client.execute("", silent=True, user_expressions={"it": expression})
        while (reply := self.client.get_shell_msg(timeout=PATIENCE_S))["parent_header"]["msg_id"] != request:
            pass
        return str(reply["content"]["user_expressions"]["it"]["data"]["text/plain"])

    # -- widgets -------------------------------------------------------------------------------------------------------

    @property
    def widget(self) -> str:
        """The newest widget."""
        return list(self.told)[-1]

    def of(self, kind: str, widget: str | None = None) -> list[dict[str, Any]]:
        """What the newest widget, or another one, was told of this kind."""
        return [one for one in self.told[widget or self.widget] if one["type"] == kind] if self.told else []

    def say(self, message: dict[str, Any], *, widget: str | None = None, subshell: str | None = None) -> None:
        """What a page sends."""
        data = {"method": "custom", "content": message}
        sent = self.client.session.msg("comm_msg", {"comm_id": widget or self.widget, "data": data})
        if subshell is not None:
            sent["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(sent)

    def ask(self, message: dict[str, Any], **how: Any) -> dict[str, Any]:
        """What a page asks, and the answer."""
        self._requests += 1
        number = self._requests
        widget = how.get("widget") or self.widget
        self.say({**message, "request": number}, **how)
        self.wait(lambda: any(one.get("request") == number for one in self.told[widget]))
        return next(one for one in self.told[widget] if one.get("request") == number)

    def has_told(self, node: int, state: S) -> bool:
        """Whether the newest widget was told that a task has come into a state."""
        return any(
            place == (node, state)
            for one in self.of("snapshot") + self.of("events")
            for place in zip(one["columns"]["node"], one["columns"]["state"], strict=True)
        )

    def new_subshell(self) -> str:
        """The id of a subshell, such as JupyterLab has for its widgets; the test is skipped where the kernel has none."""
        self.client.control_channel.send(self.client.session.msg("create_subshell_request"))
        reply = self.client.get_control_msg(timeout=PATIENCE_S)["content"]
        if not reply.get("subshell_id"):
            pytest.skip("this ipykernel has no subshells: it hears no page while a cell runs")
        return str(reply["subshell_id"])


def pages(folder: Path, **how: Any) -> Iterator[OpenPage]:
    """One page, closed at the end."""
    page = OpenPage(folder, **how)
    try:
        yield page
    finally:
        page.close()
