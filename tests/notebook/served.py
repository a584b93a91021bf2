"""A small stand-in for the session that serves task cells in a kernel: threads with names of their own, and no more.

It keeps the protocol, so that the runner's side of it can be tested alone: whatever the stand-in is told to do by the
cell's text, such as to print late or never to end, happens exactly so.
"""

from __future__ import annotations

import builtins
import json
import sys
import threading
import time
import traceback
from contextvars import ContextVar

_parent: ContextVar = ContextVar("parent", default=None)
_landed: dict = {}
cancelled: list = []


def serve(told: str) -> None:
    from IPython import get_ipython

    known = json.loads(told)
    assert known["version"] == 1
    shell = get_ipython()
    shell.user_ns["served"] = known
    kernel = shell.kernel
    plain = kernel.do_execute

    async def do_execute(code, *rest, cell_meta=None, **more):
        order = (cell_meta or {}).get("notebook_flows")
        if order is None:
            shell.user_ns.update(_landed)
            _landed.clear()
            return await plain(code, *rest, cell_meta=cell_meta, **more)
        parent = kernel.get_parent("shell")
        kernel.shell.execution_count += 1
        if order["executor"] == "main":
            result = await plain(code.replace("%%task", "#"), *rest, cell_meta=cell_meta, **more)
            failed = result["status"] == "error"
            _tell(kernel, parent, order, "failed" if failed else "success", time.time_ns(), result)
            return result
        threading.Thread(target=_work, args=(kernel, parent, order, code), daemon=True).start()
        return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}

    kernel.do_execute = do_execute


def _work(kernel, parent, order, code):
    namespace = {**kernel.shell.user_ns, **_landed}
    before = dict(namespace)

    def say(*words, sep=" ", end="\n"):
        text = sep.join(map(str, words)) + end
        kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": text}, parent=parent)

    namespace["print"] = say
    namespace["attempt"] = order["attempt"]
    began = time.time_ns()
    try:
        exec(compile(code.replace("%%task", "#", 1), "cell", "exec"), namespace)
    except BaseException as error:
        told = {"ename": type(error).__name__, "evalue": str(error), "traceback": traceback.format_exc().splitlines()}
        kernel.session.send(kernel.iopub_socket, "error", told, parent=parent)
        _tell(kernel, parent, order, "failed", began, told)
        return
    new = {name: value for name, value in namespace.items() if before.get(name, namespace) is not value}
    new.pop("print"), new.pop("attempt"), new.pop("__builtins__", builtins)
    _landed.update(new)
    _tell(kernel, parent, order, "success", began, {})


def _tell(kernel, parent, order, state, began, told):
    content = {
        "task": order["task"],
        "attempt": order["attempt"],
        "state": state,
        **{key: told[key] for key in ("ename", "evalue", "traceback") if key in told},
        "started_us": began // 1000,
        "ended_us": time.time_ns() // 1000,
        "execution_count": kernel.shell.execution_count,
        "unpredicted": [],
    }
    kernel.session.send(kernel.iopub_socket, "notebook_flows_task", content, parent=parent)


def cancel(task: str, attempt: int) -> None:
    from IPython import get_ipython

    get_ipython().user_ns.setdefault("asked_to_cancel", []).append((task, attempt))


sys.modules.setdefault("served", sys.modules[__name__])
