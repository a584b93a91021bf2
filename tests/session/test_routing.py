"""What two tasks put out at the same time, in a real kernel, comes under the cell that it belongs to: all, and in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from talking import ROUTED, Kernel, Message, kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

TOGETHER = """
barrier = threading.Barrier(2)
def both(step, rounds=3):
    '''Each of two tasks does the step, at the same time, some times.'''
    def body(name):
        def run():
            for n in range(rounds):
                barrier.wait(30)
                step(name, n)
        return run
    as_tasks(one=body("one"), two=body("two"))
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    for kernel in kernels(tmp_path_factory.mktemp("kernel")):
        assert kernel.run(ROUTED).reply["status"] == "ok"
        assert kernel.run(TOGETHER).reply["status"] == "ok"
        yield kernel


def lines(name: str, rounds: int = 3) -> str:
    return "".join(f"{name} {n}\n" for n in range(rounds))


PRINTS = {
    "print": "print(name, n)",
    "print to stderr": "print(name, n, file=sys.stderr)",
    "write": "sys.stdout.write(f'{name} {n}\\n')",
    "writelines": "sys.stdout.writelines([name, ' ', f'{n}\\n'])",
    "a default argument of before": "early_default(f'{name} {n}')",
    "a logging handler of before": "EARLY.emit(logging.makeLogRecord({'msg': f'{name} {n}'}))",
    "a thread": "t = threading.Thread(target=print, args=(name, n)); t.start(); t.join()",
    "a thread of a thread": (
        "def deep():\n        t = threading.Thread(target=print, args=(name, n)); t.start(); t.join()\n"
        "    t = threading.Thread(target=deep); t.start(); t.join()"
    ),
    "a thread of an own class": (
        "class Own(threading.Thread):\n        def run(self): print(name, n)\n    t = Own(); t.start(); t.join()"
    ),
    "a timer": "t = threading.Timer(0, print, (name, n)); t.start(); t.join()",
    "a pool of its own": "with ThreadPoolExecutor(2) as pool: list(pool.map(print, [name], [n]))",
    "a pool for all": "SHARED.submit(print, name, n).result()",
    "asyncio": (
        "import asyncio\n    async def main():\n"
        "        await asyncio.create_task(asyncio.to_thread(print, name, n))\n    asyncio.run(main())"
    ),
    "asyncio's executor": (
        "import asyncio\n    async def main():\n"
        "        await asyncio.get_running_loop().run_in_executor(None, print, name, n)\n    asyncio.run(main())"
    ),
    "a child process": "subprocess.run(['echo', name, str(n)])",
    "a child's stderr": "subprocess.run(f'echo {name} {n} >&2', shell=True)",
    "a child whose stderr is its stdout": "subprocess.run(f'echo {name} {n} >&2', shell=True, stderr=subprocess.STDOUT)",
    "check_call": "subprocess.check_call(['echo', name, str(n)])",
    "a fork": "multiprocessing.get_context('fork').Process(target=print, args=(name, n)).run()",
    "a stream that a task has closed": "sys.stdout.close(); print(name, n)",
    "redirected and back": ("with contextlib.redirect_stderr(sys.stdout): print(name, n, file=sys.stderr)"),
    "redirected to itself": "with contextlib.redirect_stdout(sys.stdout): print(name, n)",
}


@pytest.mark.parametrize("how", PRINTS)
def test_text_of_two_tasks_goes_to_each_ones_cell(kernel: Kernel, how: str) -> None:
    kernel.run("import multiprocessing\nSHARED = ThreadPoolExecutor(2); SHARED.submit(int).result()")

    answer = kernel.run(f"def step(name, n):\n    {PRINTS[how]}\nboth(step)")

    assert answer.reply["status"] == "ok", answer.published
    assert answer.by_parent() == {"one": lines("one"), "two": lines("two")}


def test_a_forked_child_prints_into_the_cell_of_the_task_that_forked_it(kernel: Kernel) -> None:
    code = """
def step(name, n):
    child = os.fork()
    if not child:
        print(name, n)
        os._exit(0)
    os.waitpid(child, 0)
both(step)
"""

    answer = kernel.run(code)

    assert answer.by_parent() == {"one": lines("one"), "two": lines("two")}


def test_displays_and_text_keep_their_order(kernel: Kernel) -> None:
    code = """
def step(name, n):
    print("before", n)
    display({"of": name})
    subprocess.run(["echo", "child", str(n)])
    print("after", n, file=sys.stderr)
both(step, 2)
print(__import__("json").dumps({name: sink.outputs for name, sink in sinks.items()}))
"""

    answer = kernel.run(code)

    for name in ("one", "two"):
        shown: list[Any] = []
        for m in answer.of(name):
            now = (m.kind, m.content.get("name"), m.content.get("text") or m.content["data"])
            if m.kind == "stream" and shown and shown[-1][:2] == now[:2]:  # one text may come in two messages
                now = (*now[:2], shown.pop()[2] + now[2])
            shown.append(now)
        expected = []
        for n in range(2):
            expected += [
                ("stream", "stdout", f"before {n}\n"),
                ("display_data", None, {"text/plain": f"{{'of': '{name}'}}"}),
                ("stream", "stdout", f"child {n}\n"),
                ("stream", "stderr", f"after {n}\n"),
            ]
        assert shown == expected
        kept = json.loads(answer.text())[name]
        assert [(o["output_type"], o.get("name"), o.get("text") or o["data"]) for o in kept] == expected


def test_a_display_is_updated_wherever_it_is(kernel: Kernel) -> None:
    code = """
handle = display("old", display_id="of-the-kernel")
def one():
    display("one", display_id="of-one")
    ready.set()
    done.wait(30)
def two():
    ready.wait(30)
    from IPython.display import update_display
    update_display("new", display_id="of-one")
    handle.update("new too")
    done.set()
ready, done = threading.Event(), threading.Event()
as_tasks(one=one, two=two)
print(sinks["one"].outputs)
"""

    answer = kernel.run(code)

    assert [(m.kind, m.content["data"], m.content["transient"]) for m in answer.of("two")] == [
        ("update_display_data", {"text/plain": "'new'"}, {"display_id": "of-one"}),
        ("update_display_data", {"text/plain": "'new too'"}, {"display_id": "of-the-kernel"}),
    ]
    assert "'new'" in answer.text()
    assert "'one'" not in answer.text()


def test_clear_output_is_the_tasks_own(kernel: Kernel) -> None:
    code = """
from IPython.display import clear_output
def step(name, n):
    clear_output(wait=True)
    print(name, n)
both(step)
print([sink.outputs for sink in sinks.values()])
"""

    answer = kernel.run(code)

    assert [m.content for m in answer.of("one") if m.kind == "clear_output"] == [{"wait": True}] * 3
    assert answer.text().count("'text': 'one 2\\n'") == 1
    assert "one 1" not in answer.text()


def test_a_repr_that_raises_is_told_in_the_cell_of_its_task(kernel: Kernel) -> None:
    code = """
class Bad:
    def __repr__(self): raise ValueError("no")
both(lambda name, n: display(Bad()), 1)
"""

    answer = kernel.run(code)

    for name in ("one", "two"):
        assert [m.content["ename"] for m in answer.of(name) if m.kind == "error"] == ["ValueError"]
    assert answer.of() == []


def test_half_of_a_character_is_shown_as_a_mark_and_nothing_is_lost_for_it(kernel: Kernel) -> None:
    code = r"""
def step(name, n):
    print(name, "\ud800")
    display({"text/plain": "\ud83d" + name}, raw=True)
both(step, 1)
"""

    answer = kernel.run(code)

    assert answer.reply["status"] == "ok", answer.published
    for name in ("one", "two"):
        assert answer.text(name, "stdout") == f"{name} \ufffd\n"
        shown = [m.content["data"]["text/plain"] for m in answer.of(name) if m.kind == "display_data"]
        assert shown == [f"\ufffd{name}"]


def test_an_exception_in_a_thread_is_told_in_the_cell_of_its_task(kernel: Kernel) -> None:
    code = """
def step(name, n):
    t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()
both(step, 1)
"""

    answer = kernel.run(code)

    assert answer.text("one", "stderr").count("ZeroDivisionError") == 1
    assert answer.text("two", "stderr").count("ZeroDivisionError") == 1


def test_what_is_caught_in_one_task_is_missing_there_only(kernel: Kernel) -> None:
    code = """
import io
from IPython.utils.capture import capture_output
def step(name, n):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        barrier.wait(30)
        print("caught", name)
        print("seen", name, file=sys.stderr)
        barrier.wait(30)
    with capture_output() as caught:
        barrier.wait(30)
        print("caught too", name)
        display(name)
        barrier.wait(30)
    print(repr(text.getvalue()), repr(caught.stdout), len(caught.outputs))
both(step, 1)
"""

    answer = kernel.run(code)

    assert answer.by_parent() == {
        name: f"seen {name}\n'caught {name}\\n' 'caught too {name}\\n' 1\n" for name in ("one", "two")
    }


def test_widgets_messages_name_the_request_of_their_task(kernel: Kernel) -> None:
    code = """
import comm
def step(name, n):
    comm.create_comm(target_name="widget", data={"of": name}).send({"n": n})
both(step, 1)
"""

    answer = kernel.run(code)

    for name in ("one", "two"):
        assert [m.kind for m in answer.of(name)] == ["comm_open", "comm_msg"]


def test_raw_text_of_the_only_task_is_its_own_also_that_of_c(kernel: Kernel) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None)
def one():
    print("python")
    os.write(1, b"raw\\n")
    print("python again")
    os.system("echo system")
    libc.puts(b"puts")
as_tasks(one=one)
os.write(1, b"after\\n")
"""

    answer = kernel.run(code, until=lambda all_: any("after" in str(m) for m in all_ if m.kind == "stream"))

    assert answer.text("one") == "python\nraw\npython again\nsystem\nputs\n"
    assert answer.text() == "after\n"


def test_raw_text_of_several_tasks_is_told_as_nobodys(kernel: Kernel) -> None:
    code = """
def step(name, n):
    os.write(1, f"{name} {n}\\n".encode())
    barrier.wait(30)
taken = []
with unattributed_to(lambda name, text: taken.append(text)):
    both(step, 2)
print(sorted("".join(taken).split("\\n")))
both(step, 2)
"""

    answer = kernel.run(code, until=lambda all_: sum(str(m.content.get("text")).count("two 1") for m in all_) == 2)

    told, *before_us = answer.text().splitlines()
    assert told == "['', 'one 0', 'one 1', 'two 0', 'two 1']"
    assert sorted(before_us) == ["one 0", "one 1", "two 0", "two 1"]
    assert answer.of("one") == answer.of("two") == []


ORPHAN = """
from notebook_flows.session.taps import Tap
usual, Tap._read = Tap._read, {read}  # a thread that gets no time
ours, theirs = os.pipe()
met = threading.Barrier(2)
def starts():
    met.wait(30)
    global child
    child = os.posix_spawn(
        "/bin/sh", ["sh", "-c", "read line; echo late"], dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, ours, 0)]
    )
    met.wait(30)
def waits():
    met.wait(30)
    met.wait(30)
def let_it_go():
    os.write(theirs, b"\\n")
    os.waitpid(child, 0)
taken = []
try:
    with unattributed_to(lambda name, text: taken.append(text)):
        as_tasks(one=starts, two=waits)
        {inside}
    {outside}
finally:
    Tap._read = usual
_ = sys.stdout.write("taken: " + "".join(taken) + "\\n")
"""


def test_what_a_child_of_several_tasks_prints_after_their_end_is_taken_at_the_end_of_the_run(kernel: Kernel) -> None:
    answer = kernel.run(ORPHAN.format(read="lambda self: None", inside="let_it_go()", outside="pass"))

    assert answer.text() == "taken: late\n\n"


def test_what_it_prints_after_the_run_goes_where_it_went_before_us(kernel: Kernel) -> None:
    def has_come(published: list[Message]) -> bool:
        return any("late\n" in one.content.get("text", "") for one in published)

    answer = kernel.run(ORPHAN.format(read="usual", inside="pass", outside="let_it_go()"), until=has_come)

    assert sorted(answer.text().splitlines()) == ["late", "taken: "]


def test_what_a_task_s_thread_and_child_print_after_its_end_is_still_its_own(kernel: Kernel) -> None:
    code = """
go = threading.Event()
def one():
    def late():
        go.wait(30)
        print("late thread")
    global child, thread
    thread = threading.Thread(target=late)
    thread.start()
    child = subprocess.Popen("read line; echo late child", shell=True, stdin=subprocess.PIPE)
    print("in time")
as_tasks(one=one)
print("the task has ended")
go.set()
thread.join()
child.communicate(b"\\n")
"""

    answer = kernel.run(code, until=lambda all_: "".join(m.content.get("text", "") for m in all_).count("late") == 2)

    assert answer.text() == "the task has ended\n"
    assert sorted(answer.text("one").splitlines()) == ["in time", "late child", "late thread"]


def test_the_kernels_own_text_stays_its_own_while_tasks_run(kernel: Kernel) -> None:
    code = """
old = ThreadPoolExecutor(1); old.submit(int).result()
def step(name, n):
    print(name, n)
    old.submit(print, name, "pool").result()
both(step, 1)
old.submit(print, "the kernel's").result()
print("the kernel's own")
"""

    answer = kernel.run(code)

    assert answer.text() == "the kernel's\nthe kernel's own\n"


def test_twenty_thousand_flushed_prints_are_all_there_in_few_messages(kernel: Kernel) -> None:
    answer = kernel.run("as_tasks(one=lambda: [print(n, flush=True) for n in range(20_000)])")

    assert answer.text("one") == "".join(f"{n}\n" for n in range(20_000))
    assert len(answer.of("one")) < 500


def test_two_hundred_megabytes_are_cut_with_a_note_and_kept_in_a_file(kernel: Kernel) -> None:
    code = """
from pathlib import Path
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with routed(CellSink({"msg_id": "one", "msg_type": "execute_request"}, file=Path("all.txt"))) as sink:
    line = "x" * 99 + "\\n"
    for _ in range(2_000): print(line * 1_000, end="")
    print("the end")
print(os.path.getsize("all.txt"), sum(len(o["text"]) for o in sink.outputs))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024)
"""

    answer = kernel.run(code)

    size, kept, grown = (int(word) for word in answer.text().split())
    assert size == 200_000_008
    assert kept < 10_100_000
    assert grown < 100
    assert answer.text("one").endswith("the end\n")
    assert "190.0 MB more were printed; all of it is in all.txt" in answer.text("one")
    assert len(answer.text("one")) == kept
