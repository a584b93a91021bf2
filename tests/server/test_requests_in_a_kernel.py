"""A run that blocks its cell does what other processes ask of it: the cell goes on with its next line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from talking import PATIENCE_S, Kernel, Message

from notebook_flows.core.lifecycle import S
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "e" * 32
CELL = """
import time
from notebook_flows import Flow, task
@task
def begun():
    print('begun', flush=True)
    time.sleep(600)
@task
def never(x): print('never')
with Flow('blocks') as flow: never(begun())
state = flow.run(flow_run_id={run!r}, executor={executor!r})
print('next line:', type(state).__name__, state.message, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    return tmp_path / "history.sqlite"


@pytest.fixture
def kernel(tmp_path: Path, store: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    try:
        yield kernel
    finally:
        kernel.close()


def said_after(kernel: Kernel, request: str, *, begun: str = "begun\n") -> str:
    """All that a cell prints from now on, until it ends or has printed what is waited for."""
    said = ""
    while begun not in said:
        one = Message(kernel.client.get_iopub_msg(timeout=PATIENCE_S))
        if one.parent == request and one.kind == "stream":
            said += one.content["text"]
        if one.parent == request and one.content.get("execution_state") == "idle":
            break
    return said


@pytest.mark.parametrize("executor", ["local", "threads"])
@pytest.mark.filterwarnings("ignore:These tasks cannot be stopped")
def test_a_cancel_from_another_process_ends_the_run_and_the_cell_goes_on(
    kernel: Kernel, store: Path, executor: str
) -> None:
    request = kernel.client.execute(CELL.format(run=RUN, executor=executor))
    said_after(kernel, request)

    SqliteEventLog(store).request(RUN, "cancel", {"reason": "Asked for by a test."})
    said = said_after(kernel, request, begun="only the end")

    assert "next line: Cancelled Asked for by a test.\n" in said
    assert kernel.reply_to(request)["status"] == "ok"
    assert SqliteEventLog(store).run(RUN).state is S.CANCELLED


def test_what_the_cell_does_after_the_run_is_not_cancelled(kernel: Kernel, store: Path) -> None:
    code = CELL.format(run=RUN, executor="local").replace("time.sleep(600)", "pass")
    waits = "\nprint('after', flush=True)\nfor _ in range(30): time.sleep(0.1)\nprint('through')"
    request = kernel.client.execute(code + waits)
    said_after(kernel, request, begun="after\n")

    SqliteEventLog(store).request(RUN, "cancel")
    said = said_after(kernel, request, begun="only the end")

    assert said.endswith("through\n")
    assert kernel.reply_to(request)["status"] == "ok"


def test_a_retry_from_another_process_is_heard_while_a_task_holds_the_main_thread(
    kernel: Kernel, store: Path, tmp_path: Path
) -> None:
    cell = f"""
import time, pathlib
from notebook_flows import Flow, task
folder = pathlib.Path({str(tmp_path)!r})
@task
def fails():
    if not (folder / 'good').exists():
        raise ValueError('not yet')
@task
def holds():
    print('begun', flush=True)
    while not (folder / 'asked').exists():
        time.sleep(0.05)
    time.sleep(1)  # the engine looks for requests twice a second at most
with Flow('holds') as flow: bad, held = fails(), holds()
state = flow.run(flow_run_id={RUN!r})
print('next line:', type(state).__name__, flush=True)
"""
    request = kernel.client.execute(cell)
    said_after(kernel, request)

    (tmp_path / "good").touch()
    SqliteEventLog(store).request(RUN, "retry")
    (tmp_path / "asked").touch()
    said = said_after(kernel, request, begun="only the end")

    assert "next line: Success\n" in said
    assert SqliteEventLog(store).run(RUN).state is S.SUCCESS
