"""A notebook that a front end has open: its cells have ids, and a real kernel runs them."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any

from talking import PATIENCE_S, Answer, Kernel, Message

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = re.compile(r"\x1b\[[\d;]*m")
SHOWN = {"stream", "display_data", "execute_result", "error"}


_ANEW = (
    "%reset -f\n%unload_ext notebook_flows",
    "get_ipython().history_manager.input_hist_raw[:] = [''] * get_ipython().execution_count",
    "vars(get_ipython()).pop('_notebook_flows_session', None)",
    "%load_ext notebook_flows",
)


class OpenNotebook:
    """Runs cells by their ids, and shows each cell's outputs as a front end would.

    Args:
        kernel: fresh, or cleaned by `anew`.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._cell_of: dict[str, str] = {}
        self._outputs: dict[str, list[Message]] = {}
        self._clears: set[str] = set()

    def anew(self) -> None:
        """Forget all cells and names; the extension is loaded."""
        for code in _ANEW:
            self.kernel.client.execute(code, silent=True, store_history=False)
            self.kernel.client.get_shell_msg(timeout=PATIENCE_S)
        self._cell_of.clear()
        self._outputs.clear()

    def run(
        self,
        cell: str,
        source: str,
        *,
        interrupt_when: Callable[[], bool] | None = None,
        until: Callable[[list[Message]], bool] | None = None,
    ) -> Result:
        """Run a cell, and take what comes until the kernel is idle again."""
        client = self.kernel.client
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        message = client.session.msg("execute_request", content, metadata={"cellId": cell})
        request = message["header"]["msg_id"]
        self._cell_of[request] = cell
        self._outputs[cell] = []
        self._clears.discard(cell)
        client.shell_channel.send(message)
        published: list[Message] = []
        interrupted_s = 0.0
        is_idle = False
        while not is_idle or (until is not None and not until(published)):
            if interrupt_when is not None and not interrupted_s and interrupt_when():
                self.kernel.interrupt()
                interrupted_s = monotonic()
            one = self._next(0.05 if interrupt_when is not None and not interrupted_s else PATIENCE_S)
            if one is None:
                continue
            published.append(one)
            is_idle = is_idle or (one.parent == request and one.content.get("execution_state") == "idle")
        waited_s = monotonic() - interrupted_s
        return Result(self, cell, Answer(request, published, self.kernel.reply_to(request)), waited_s)

    def wait(self, until: Callable[[], bool], *, look_s: float = PATIENCE_S) -> None:
        """Take what comes between cells until this is so, which is looked at again at least as often."""
        until_s = monotonic() + PATIENCE_S
        while not until():
            assert monotonic() < until_s, "it takes too long"
            self._next(look_s)

    def _next(self, patience_s: float) -> Message | None:
        from queue import Empty

        try:
            one = Message(self.kernel.client.get_iopub_msg(timeout=patience_s))
        except Empty:
            if patience_s == PATIENCE_S:
                raise
            return None
        self._show(one)
        return one

    def _show(self, one: Message) -> None:
        cell = self._cell_of.get(one.parent)
        if cell is None:
            return
        if one.kind == "clear_output":
            if one.content["wait"]:
                self._clears.add(cell)
            else:
                self._outputs[cell] = []
                self._clears.discard(cell)
        elif one.kind in SHOWN:
            if one.kind == "execute_result" and not isinstance(one.content["execution_count"], int):
                return  # JupyterLab takes no result without a number
            if cell in self._clears:
                self._clears.discard(cell)
                self._outputs[cell] = []
            self._outputs[cell].append(one)
        elif one.kind == "update_display_data":
            wanted = one.content["transient"].get("display_id")
            for shown in (shown for outputs in self._outputs.values() for shown in outputs):
                if wanted is not None and shown.content.get("transient", {}).get("display_id") == wanted:
                    shown.content["data"] = one.content["data"]

    def shown(self, cell: str) -> list[Any]:
        """What stands below a cell, in plain text, neighbouring prints joined."""
        found: list[Any] = []
        for one in self._outputs[cell]:
            if one.kind == "stream":
                if found and found[-1][0] == one.content["name"]:
                    found[-1] = (found[-1][0], found[-1][1] + one.content["text"])
                else:
                    found.append((one.content["name"], one.content["text"]))
            elif one.kind == "error":
                found.append(("error", one.content["ename"]))
            else:
                found.append((one.kind, one.content["data"].get("text/plain", "")))
        return found

    def text(self, cell: str) -> str:
        """All that was printed below a cell."""
        return "".join(text for name, text in self.shown(cell) if name in {"stdout", "stderr"})

    def value(self, expression: str) -> str:
        """The repr of an expression in the kernel, by no cell of the notebook."""
        client = self.kernel.client
        request = client.execute("", silent=True, user_expressions={"it": expression})
        while True:
            reply = client.get_shell_msg(timeout=PATIENCE_S)
            if reply["parent_header"]["msg_id"] == request:
                break
        found = reply["content"]["user_expressions"]["it"]
        return str(found["data"]["text/plain"] if found["status"] == "ok" else found["ename"])


class Result:
    """How the execution of one cell went.

    Attributes:
        status: "ok" or "error".
        waited_s: from the interrupt to the prompt.
    """

    def __init__(self, notebook: OpenNotebook, cell: str, answer: Answer, waited_s: float) -> None:
        self.status: str = answer.reply["status"]
        self.ename: str = answer.reply.get("ename", "")
        self.waited_s = waited_s
        self._answer = answer
        self._notebook = notebook
        self._cell = cell

    @property
    def said(self) -> str:
        """The plain text of what was printed and raised, errors last; no pictures."""
        errors = [one for one in self._answer.of() if one.kind == "error"]
        told = "\n".join("\n".join(one.content["traceback"]) for one in errors)
        return self._notebook.text(self._cell) + COLOURS.sub("", told)

    @property
    def picture(self) -> str:
        """The last picture, as text."""
        found = [one for one in self._answer.of() if one.kind in {"display_data", "update_display_data"}]
        return str(found[-1].content["data"]["text/plain"]) if found else ""
