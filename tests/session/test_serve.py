"""A real kernel that serves a headless run: requests start tasks, and a message tells how each has ended."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from talking import PATIENCE_S, Kernel, Message, kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = "notebook_flows_task"


_numbers = itertools.count(1)


def is_end(one: Message) -> bool:
    """Not one that says that an attempt waits, or has waited."""
    return one.kind == TOLD and one.content["state"] not in {"waiting", "running"}


class Client:
    """Speaks the protocol, as the runner does."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.prefix = f"notebook{next(_numbers)}"
        self.silently("get_ipython().run_line_magic('reset', '-f')")
        self.cells: dict[str, str] = {}
        self.published: list[Message] = []

    def id(self, cell: str) -> str:
        return f"{self.prefix}-{cell}"

    def serve(self, *sources: str | tuple[str, list[str]], strict_shell: bool = False) -> None:
        """Begin, with cells "1", "2"..."""
        told = []
        for number, one in enumerate(sources, 1):
            source, tags = (one, []) if isinstance(one, str) else one
            self.cells[str(number)] = source
            told.append({"id": self.id(str(number)), "place": number, "source": source, "tags": tags})
        wish = {"version": 1, "lazy": True, "cells": told, "strict_shell": strict_shell, "workers": 2}
        self.silently(f"import notebook_flows.session.serve as s; s.serve({json.dumps(wish)!r}); del s")

    def silently(self, code: str) -> None:
        client = self.kernel.client
        reply = self.kernel.reply_to(client.execute(code, silent=True, store_history=False))
        assert reply["status"] == "ok", reply

    def send(self, cell: str, *, task: bool = True, executor: str = "threads", attempt: int = 1) -> str:
        """Send a cell's request, and wait for its answer."""
        metadata: dict[str, Any] = {"cellId": self.id(cell)}
        if task:
            order = {"task": self.id(cell), "attempt": attempt, "executor": executor, "timeout_s": None}
            metadata["notebook_flows"] = order
        content = {
            "code": self.cells[cell],
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "stop_on_error": False,  # as the runner sends task cells: what comes next is not aborted
        }
        message = self.kernel.client.session.msg("execute_request", content, metadata=metadata)
        self.kernel.client.shell_channel.send(message)
        request: str = message["header"]["msg_id"]
        self.reply = self.kernel.reply_to(request)
        return request

    def cancel(self, cell: str, attempt: int = 1) -> None:
        self.silently(f"import notebook_flows.session.serve as s; s.cancel({self.id(cell)!r}, {attempt}); del s")

    def hear(self) -> Message:
        self.published.append(Message(self.kernel.client.get_iopub_msg(timeout=PATIENCE_S)))
        return self.published[-1]

    def until_told(self, *requests: str) -> list[dict[str, Any]]:
        """How the attempts of these requests have ended."""
        while not set(requests) <= {one.parent for one in self.published if is_end(one)}:
            self.hear()
        found = {one.parent: one.content for one in self.published if is_end(one)}
        return [found[request] for request in requests]

    def run(self, cell: str, **more: Any) -> dict[str, Any]:
        """Send a task's request, and wait for its end."""
        return self.until_told(self.send(cell, **more))[0]

    def text_of(self, cell: str) -> str:
        """What an ordinary cell prints."""
        return self.text(self.send(cell, task=False))

    def text(self, request: str, name: str = "stdout") -> str:
        """What stands below a request, which has ended."""
        while not any(one.parent == request and one.content.get("execution_state") == "idle" for one in self.published):
            self.hear()
        streams = [one.content for one in self.published if one.parent == request and one.kind == "stream"]
        return "".join(one["text"] for one in streams if one["name"] == name)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    yield from kernels(tmp_path_factory.mktemp("kernel"))


@pytest.fixture
def client(kernel: Kernel) -> Client:
    return Client(kernel)


MEET = "import threading\nmeet = threading.Barrier(2, timeout=30)"


def test_two_tasks_run_at_once_and_each_prints_below_its_own_request(client: Client) -> None:
    one = "%%task {0}\nfor n in range(3):\n    meet.wait()\n    print('{0}', n)\n{0} = '{0}'\n{0}"
    client.serve(MEET, one.format("left"), one.format("right"), "print(left, right)")
    client.text_of("1")

    left, right = client.send("2"), client.send("3")
    ends = client.until_told(left, right)

    assert [end["state"] for end in ends] == ["success", "success"]
    assert client.text(left) == "left 0\nleft 1\nleft 2\n"
    assert client.text(right) == "right 0\nright 1\nright 2\n"
    results = {
        one.parent: one.content["data"]["text/plain"] for one in client.published if one.kind == "execute_result"
    }
    assert results == {left: "'left'", right: "'right'"}
    assert client.text_of("4") == "left right\n"


def test_the_request_is_over_at_once_and_the_message_comes_at_the_end(client: Client) -> None:
    client.serve("import threading\ngo = threading.Event()", "%%task\ngo.wait(30)\nx = 1", "go.set()")
    client.text_of("1")

    request = client.send("2")
    client.text(request)
    was_told = any(one.kind == TOLD for one in client.published)
    client.send("3", task=False)
    (end,) = client.until_told(request)

    assert not was_told
    assert (end["task"], end["attempt"], end["state"]) == (client.id("2"), 1, "success")
    inputs = {one.parent: one.content["execution_count"] for one in client.published if one.kind == "execute_input"}
    assert end["execution_count"] == inputs[request]
    assert end["started_us"] <= end["ended_us"]


def test_a_failure_is_shown_once_with_the_right_line_and_leaves_nothing(client: Client) -> None:
    client.serve("x = 1", "%%task\nx = 2\n\nx / 0", "print(x)")
    client.text_of("1")

    request = client.send("2")
    (end,) = client.until_told(request)

    assert client.reply["status"] == "ok"
    assert (end["state"], end["ename"], end["evalue"]) == ("failed", "ZeroDivisionError", "division by zero")
    shown = [one.content for one in client.published if one.kind == "error"]
    assert [one["traceback"] for one in shown] == [end["traceback"]]
    assert "----> 4 x / 0" in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(end["traceback"]))
    assert client.text_of("3") == "1\n"


@pytest.mark.parametrize("executor", ["threads", "processes", "main"])
def test_wherever_it_runs_it_gives_the_same(client: Client, executor: str) -> None:
    client.serve(
        "k = [1]\ndef add(x):\n    return x + k",
        "%%task\nprint('made')\nmade = add([0])\nk.append(2)\nmade",
        "print(made, k, add([9]))",
    )
    client.text_of("1")

    request = client.send("2", executor=executor)
    (end,) = client.until_told(request)

    assert (end["state"], end["unpredicted"]) == ("success", [])
    assert client.text(request) == "made\n"
    assert client.text_of("3") == "[0, 1] [1, 2] [9, 1, 2]\n"


@pytest.mark.parametrize(
    ("body", "printed"),
    [
        ("import asyncio\nawait asyncio.sleep(0)\nx = 1\nprint('awaited')", "awaited\n"),
        ("%who_ls\nx = 1", ""),
        ("exec('x = 1')", ""),
        ("%%time\nx = 1", None),
        ("!echo from the shell\nx = 1", "from the shell\n"),
    ],
)
def test_magics_awaits_and_opaque_cells_run_too(client: Client, body: str, printed: str | None) -> None:
    client.serve(f"%%task\n{body}", "print(x)")

    request = client.send("1", executor="threads")
    (end,) = client.until_told(request)

    assert end["state"] == "success", end
    assert printed is None or client.text(request) == printed
    assert client.text_of("2") == "1\n"


def test_an_error_in_the_main_thread_is_told_like_any_other(client: Client) -> None:
    client.serve("%%task\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0", "%%task\n1 / 0", "print('alive')")

    ends = [client.run("1", executor="main"), client.run("2", executor="main")]

    assert [(end["state"], end["ename"]) for end in ends] == [("failed", "ZeroDivisionError")] * 2
    assert len([one for one in client.published if one.kind == "error"]) == 2
    assert client.text_of("3") == "alive\n"


def test_a_task_in_the_main_thread_runs_beside_those_in_threads(client: Client) -> None:
    client.serve(MEET, "%%task left\nmeet.wait()\nx = 1", "%%task right\nmeet.wait()\ny = 2", "print(x, y)")
    client.text_of("1")

    ends = client.until_told(client.send("2"), client.send("3", executor="main"))

    assert [end["state"] for end in ends] == ["success", "success"]
    assert client.text_of("4") == "1 2\n"


def test_a_task_that_needs_the_real_shell_waits_until_the_others_have_ended(client: Client) -> None:
    client.serve(
        "import time\nended = []",
        "%%task left --pure\ntime.sleep(0.2)\nended.append('left')",
        "%%task right --pure\nbefore = list(ended)\nshell = get_ipython()\nname = type(shell).__name__",
        "print(before, name)",
    )
    client.text_of("1")

    ends = client.until_told(client.send("2"), client.send("3", executor="main"))

    assert [end["state"] for end in ends] == ["success", "success"]
    assert client.text_of("4") == "['left'] ZMQInteractiveShell\n"
    assert states_told(client, "3") == ["waiting", "running", "success"]
    assert states_told(client, "2") == ["success"]


def test_a_task_that_needs_not_wait_says_nothing_of_it(client: Client) -> None:
    client.serve("%%task right --pure\nname = type(get_ipython()).__name__")

    client.run("1", executor="main")

    assert states_told(client, "1") == ["success"]


def states_told(client: Client, task: str) -> list[str]:
    return [
        one.content["state"] for one in client.published if one.kind == TOLD and one.content["task"] == client.id(task)
    ]


ODD = "def f(): return k\ndef g(): return fs[0]()\nfs = [f]\nk = 1\nimport threading\nmeet = threading.Barrier(2, timeout=30)"


def test_a_task_that_cannot_see_its_own_names_waits_until_it_is_alone_and_the_others_go_on(client: Client) -> None:
    client.serve(
        ODD,
        "%%task odd --pure\nk = 2\nimport threading\nplace = threading.current_thread() is threading.main_thread()\ny = g()",
        "%%task left --pure\nmeet.wait()\nleft = 1",
        "%%task right --pure\nmeet.wait()\nright = 2",
        "print(y, k, place, left, right)",
    )
    client.text_of("1")

    ends = client.until_told(client.send("3"), client.send("2"), client.send("4"))

    assert [end["state"] for end in ends] == ["success"] * 3
    assert client.text_of("5") == "2 2 True 1 2\n"


KILL = "import asyncio, os, signal, threading, time\n"


@pytest.mark.parametrize(
    "body",
    [
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\ntime.sleep(600)",
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\nawait asyncio.sleep(600)",
        "await asyncio.sleep(0)\nthreading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\ntime.sleep(600)",
    ],
)
def test_an_interrupted_task_in_the_main_thread_is_told_and_the_kernel_goes_on(client: Client, body: str) -> None:
    client.serve(f"%%task\n{KILL}{body}", "print('on')")

    end = client.run("1", executor="main")

    assert (end["state"], end["ename"]) == ("failed", "KeyboardInterrupt")
    assert client.text_of("2") == "on\n"


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"])
def test_what_ends_a_program_fails_its_task_and_the_kernel_goes_on(client: Client, error: str, first: str) -> None:
    client.serve(f"%%task\n{KILL}{first}raise {error}", "print('on')")

    end = client.run("1", executor="main")

    assert (end["state"], end["ename"]) == ("failed", error)
    assert client.text_of("2") == "on\n"


def test_a_task_that_awaits_what_it_has_cancelled_has_failed(client: Client) -> None:
    client.serve(
        f"%%task\n{KILL}one = asyncio.ensure_future(asyncio.sleep(60))\none.cancel()\nawait one", "print('on')"
    )

    end = client.run("1", executor="main")

    assert (end["state"], end["ename"]) == ("failed", "CancelledError")
    assert client.text_of("2") == "on\n"


def test_each_task_gets_the_version_of_its_place_and_the_last_one_lands(client: Client) -> None:
    client.serve(
        "%%task first\nx = 'first'",
        "%%task reader\nread = x",
        "%%task second\nx = 'second'",
        "print(read, x)",
    )

    for cell in ("3", "1", "2"):
        assert client.run(cell)["state"] == "success"

    assert client.text_of("4") == "first second\n"


def test_what_an_ordinary_cell_below_has_bound_stays(client: Client) -> None:
    client.serve("%%task late\nx = 'task'", "x = 'cell'", "print(x)")
    request = client.send("1")
    client.until_told(request)
    # as a runner may do that asks for the cells in another order
    client.kernel.run("get_ipython().user_ns.pop('x', None)")
    client.send("2", task=False)

    assert client.text_of("3") == "cell\n"


def test_a_second_try_counts_and_a_late_end_of_the_first_does_not(client: Client) -> None:
    client.serve(
        "import threading\nhold = [threading.Event(), threading.Event()]\nhold[1].set()\ntries = []",
        "%%task --pure\ntries.append(1)\nx = number = len(tries)\nhold[number - 1].wait(30)",
        "hold[0].set()",
        "print(x)",
    )
    client.text_of("1")
    first = client.send("2", attempt=1)
    client.cancel("2")

    second = client.send("2", attempt=2)
    client.until_told(second)
    client.send("3", task=False)
    client.until_told(first)

    assert client.text_of("4") == "2\n"


def test_a_cancelled_process_is_killed(client: Client) -> None:
    client.serve("%%task --executor processes\nimport time\nprint('here', flush=True)\ntime.sleep(600)", "print('on')")
    request = client.send("1", executor="processes")
    while not any(one.parent == request and one.kind == "stream" for one in client.published):
        client.hear()

    client.cancel("1")
    (end,) = client.until_told(request)

    assert end["state"] == "failed"
    assert client.text_of("2") == "on\n"


def test_a_process_that_dies_takes_nobody_with_it(client: Client) -> None:
    client.serve("%%task --executor processes\nimport os\nos._exit(3)", "%%task\nx = 1", "print(x)")

    end = client.run("1", executor="processes")

    assert (end["state"], end["ename"]) == ("crashed", "WorkerDied")
    assert "exited with code 3" in end["evalue"]
    assert client.run("2")["state"] == "success"
    assert client.text_of("3") == "1\n"


def test_a_value_that_nobody_takes_may_stay_in_its_process(client: Client) -> None:
    client.serve("%%task --executor processes\ngen = (i for i in range(3))\nx = 1", "print(x)")

    end = client.run("1", executor="processes")

    assert end["state"] == "success"
    assert client.text_of("2") == "1\n"


def test_values_that_have_landed_and_that_no_waiting_task_takes_are_let_go(client: Client) -> None:
    big = "class Big: pass"
    task = "%%task\nimport weakref\nbig = Big()\nseen = weakref.ref(big)"
    client.serve(big, task, "%%task\nkept = type(big)", "big = None", "import gc; gc.collect(); print(seen())")
    client.send("1", task=False)
    client.run("2")
    client.run("3")
    client.send("4", task=False)

    assert client.text_of("5") == "None\n"


def test_a_waiting_task_gets_the_version_of_its_place_after_a_later_one_has_landed(client: Client) -> None:
    client.serve("%%task\nx = 1", "%%task\ny = x", "%%task\nx = 2", "print(x)", "print(y)")
    client.run("1")
    client.run("3")
    client.text_of("4")

    assert client.run("2")["state"] == "success"
    assert client.text_of("5") == "1\n"


def test_a_failing_command_fails_its_task_where_that_is_asked_for(client: Client) -> None:
    client.serve("%%task\n!exit 3\nx = 1", strict_shell=True)

    end = client.run("1")

    assert (end["state"], end["ename"]) == ("failed", "ShellCommandFailed")


def test_a_tag_makes_a_task_and_a_skipped_cell_counts_for_nothing(client: Client) -> None:
    client.serve(
        "x = 1", ("x = exec('this is never run')", ["skip-execution"]), ("y = x + 1", ["task:tagged"]), "print(y)"
    )
    client.text_of("1")

    assert client.run("3")["state"] == "success"

    assert client.text_of("4") == "2\n"


def test_a_task_that_nobody_ordered_is_only_registered(client: Client) -> None:
    client.serve("%%task load\nx = 1", "print('x' in globals())")

    said = client.text_of("1")

    assert said == "Task 'load' is registered; `%flow run` runs it.\n"
    assert client.text_of("2") == "False\n"


def test_an_order_that_cannot_be_obeyed_is_told_as_a_failure(client: Client) -> None:
    client.serve("%%task\nx = 1")
    client.cells["9"] = "%%task\ny = 1"

    end = client.run("9")

    assert (end["state"], end["task"], end["attempt"]) == ("failed", client.id("9"), 1)
    assert "was not among those that the runner told before" in end["evalue"]


def test_a_runner_of_another_version_is_refused_in_words(client: Client) -> None:
    wish = json.dumps({"version": 7, "cells": []})

    answer = client.kernel.run(f"import notebook_flows.session.serve as s; s.serve({wish!r})")

    assert answer.reply["ename"] == "ProtocolError"
    assert "install the same notebook_flows in both environments" in answer.reply["evalue"]


def test_the_notebooks_own_load_line_is_quiet(client: Client) -> None:
    client.serve("%load_ext notebook_flows", "%%task\nx = 1", "print(x)")

    assert client.text_of("1") == ""

    assert client.run("2")["state"] == "success"
    assert client.text_of("3") == "1\n"


def test_late_output_of_a_task_stands_below_it(client: Client) -> None:
    client.serve(
        "import threading\ngo = threading.Event()",
        "%%task\ndef late():\n    go.wait(30)\n    print('late')\nthread = threading.Thread(target=late)\nthread.start()",
        "go.set()\nthread.join()",
    )
    client.text_of("1")
    request = client.send("2")
    client.until_told(request)

    client.send("3", task=False)
    while not client.text(request).endswith("\n"):  # it is sent as it comes: perhaps in two messages
        client.hear()

    assert client.text(request) == "late\n"
