"""A task cell in a real kernel publishes what the same cell without its task line publishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from talking import Kernel, kernels

from notebook_flows.core.lifecycle import S
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_TIMES = re.compile(r"\d+(\.\d+)?(e\+\d+)? (ns|μs|µs|us|ms|s)\b")
# what differs between two executions of one cell
_VARIES = re.compile(r"In\[\d+\]|0x[0-9a-f]+|\d+\.py")


@pytest.fixture(scope="module")
def own_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
        patch.setenv("NOTEBOOK_FLOWS_STORE", str(folder / "history.sqlite"))
        yield folder


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, own_history: Path) -> Iterator[Kernel]:
    yield from kernels(tmp_path_factory.mktemp("kernel"))


def messages(kernel: Kernel, source: str) -> list[Any]:
    """What a cell publishes, and its answer, without what no two executions have in common."""
    answer = kernel.run(source)
    told: list[Any] = []
    for one in answer.published:
        before = told[-1][1] if told and told[-1][0] == "stream" else {}
        if one.kind == "stream" and before.get("name") == one.content["name"]:
            before["text"] += one.content["text"]  # where a stream is cut is a matter of time
        elif one.kind != "execute_input":
            told.append((one.kind, dict(one.content)))
    reply = {
        key: answer.reply[key] for key in ("status", "ename", "evalue", "traceback", "payload") if key in answer.reply
    }
    return [*((kind, plain(content)) for kind, content in told), plain(reply)]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key != "execution_count"}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return _VARIES.sub("", _TIMES.sub("TIME", _COLOURS.sub("", value)))
    return value


CELLS = {
    "a last expression": "x = 1\nx + 1",
    "prints": "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('more')",
    "a display": "from IPython.display import HTML, display\ndisplay(HTML('<b>hi</b>'))\nHTML('<i>last</i>')",
    "a plot": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('t');",
    "a shell line": "x = !echo one\n!echo two\nx",
    "magics": "%env HOME\n%pwd",
    "a timed cell": "%%time\nx = 5\nx",
    "a captured cell": "%%capture said\nprint('hidden')",
    "a cell of a shell": "%%bash\necho three",
    "an await": "import asyncio\nawait asyncio.sleep(0)\nprint('waited')\nawait asyncio.sleep(0, 'slept')",
    "an error": "x = 1\n\nx / 0",
    "an error in an await": "import asyncio\nawait asyncio.sleep(0)\n1 / 0",
    "a syntax error": "x = 1\nx = = 2",
    "help": "len?",
    "an exit": "import sys\nsys.exit('never')",
    "widths": "from IPython.display import clear_output\nprint('a\\rb')\nclear_output(wait=True)\nprint('c')",
}


@pytest.mark.parametrize("name", CELLS)
def test_with_its_task_line_a_cell_publishes_the_same(kernel: Kernel, name: str) -> None:
    source = CELLS[name]
    comment = "#" if source.startswith("%%") else "# a comment in place of the task line"
    swapped = source.replace("\n", f"\n{comment}\n", 1) if source.startswith("%%") else f"{comment}\n{source}"
    kernel.run("%unload_ext notebook_flows")
    kernel.run(swapped)  # what is told or imported the first time only
    without_us = messages(kernel, swapped)
    assert kernel.run("%load_ext notebook_flows").reply["status"] == "ok"

    with_us = messages(kernel, f"%%task the-name --retries 2\n{source}")

    assert [without_line(one) for one in with_us] == [without_line(one) for one in without_us]


def without_line(message: Any) -> Any:
    """Tracebacks show the task line; it differs by its words only."""
    text = repr(message).replace("# %%task the-name --retries 2", "#")
    return text.replace("# a comment in place of the task line", "#")


def test_its_number_in_out_and_the_underscore_are_as_ever(kernel: Kernel) -> None:
    kernel.run("%load_ext notebook_flows")

    made = kernel.run("%%task\n40 + 2")

    number = made.reply["execution_count"]
    assert kernel.run(f"print(_, Out[{number}], 'task' in In[{number}])").text() == "42 42 True\n"


def test_post_mortem_debugging_stands_in_the_cell(kernel: Kernel) -> None:
    kernel.run("%load_ext notebook_flows")
    kernel.run("%%task\ndef f(inner):\n    return inner / 0\nf(5)")

    seen = kernel.run(
        "import sys\ntrace = sys.last_traceback\nwhile trace.tb_next: trace = trace.tb_next\n"
        "print(trace.tb_lineno, trace.tb_frame.f_locals)"
    )

    assert seen.text() == "3 {'inner': 5}\n"


def test_cells_are_known_by_the_ids_that_the_front_end_sends(kernel: Kernel) -> None:
    kernel.run("%load_ext notebook_flows")
    send(kernel, "%%task first\nx = 1", {"cellId": "id-1"})
    send(kernel, "x = 2", {"cellId": "id-2", "tags": ["task:second"]})
    send(kernel, "%%task fourth\nx = 4", {"cellId": "id-1", "deletedCells": []})

    answer = kernel.run(KNOWN)

    assert answer.text() == "[('id-1', 'fourth', 2), ('id-2', 'second', 1)]\n"
    send(kernel, "%%task made\ny = 1", {"cellId": "id-3", "deletedCells": ["id-1"]})
    assert kernel.run(KNOWN).text() == "[('id-2', 'second', 1), ('id-3', 'made', 1)]\n"


KNOWN = """
from notebook_flows.session.session import session_of
print([(one.key, one.name, one.times) for one in session_of(get_ipython()).book.records()
       if one.cell_id and one.cell_id.startswith('id-')])
"""


def send(kernel: Kernel, code: str, metadata: dict[str, Any]) -> None:
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = kernel.client.session.msg("execute_request", content, metadata=metadata)
    kernel.client.shell_channel.send(message)
    while True:
        heard = kernel.client.get_iopub_msg(timeout=60)
        is_ours = heard["parent_header"].get("msg_id") == message["header"]["msg_id"]
        if is_ours and heard["content"].get("execution_state") == "idle":
            break
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"


def test_a_failed_task_is_in_the_history_and_an_interrupted_one_too(kernel: Kernel, own_history: Path) -> None:
    kernel.run("%load_ext notebook_flows")
    kernel.run("%%task fails\n1 / 0")
    kernel.run("%%task stopped\nimport os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)")
    kernel.run(
        "%%task awaits\nimport asyncio, os, signal, threading\n"
        "threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()\nawait asyncio.sleep(600)"
    )
    assert kernel.run("print('alive')").text() == "alive\n"

    kernel.run("from notebook_flows.session.session import session_of\nsession_of(get_ipython()).hand_runs.wait(10)")

    states = {event_log().task_runs(row.run_id)[0].slug: row.state for row in event_log().runs(limit=3)}
    assert states == {"fails-1": S.FAILED, "stopped-1": S.CANCELLED, "awaits-1": S.CANCELLED}


def test_a_cell_that_sleeps_in_an_await_hears_ctrl_c_as_long_as_the_extension_is_loaded(kernel: Kernel) -> None:
    kernel.run("%load_ext notebook_flows")
    kernel.run("import asyncio, os, signal, threading, time")
    sleeps = "threading.Timer({0}, os.kill, (os.getpid(), signal.SIGINT)).start()\nawait asyncio.sleep({1})"

    heard = kernel.run(sleeps.format(0.1, 600))
    kernel.run("%unload_ext notebook_flows")
    left_alone = kernel.run("import signal\nprint(signal.set_wakeup_fd(-1))")

    assert heard.reply["ename"] == "CancelledError"
    assert left_alone.text() == "-1\n"
