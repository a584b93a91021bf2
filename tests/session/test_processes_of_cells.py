"""Task cells in worker processes: what they need goes there by value, what they bind comes back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from bench import Bench
from cells import ListSink, a_cell, a_notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import NotTransferable, WorkerDied
from notebook_flows.executors import ProcessExecutor
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.landing import land
from notebook_flows.session.lanes import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.engine.call import Outcome
    from notebook_flows.session.values import CellValues


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(ProcessExecutor(2)) as found:
        yield found


def a_task(text: str, user_ns: dict[str, Any], sink: ListSink | None = None, **more: Any) -> KernelCellTask:
    own = ListSink() if sink is None else sink
    options = {"inputs": dict, "name": "task", **more}
    return KernelCellTask(a_cell(text), user_ns=user_ns, sink=lambda: own, lane=Lane.PROCESSES, **options)


def failure(bench: Bench, task: KernelCellTask) -> Outcome:
    [outcome] = bench.outcomes([task])
    assert outcome.state is S.FAILED
    return outcome


def run(bench: Bench, text: str, user_ns: dict[str, Any], **more: Any) -> CellValues:
    return bench.values(a_task(text, user_ns, **more))


# -- there ---------------------------------------------------------------------------------------------------------------


def test_values_functions_classes_and_imports_of_other_cells_are_there(bench: Bench) -> None:
    user_ns = a_notebook(
        "import math as m\nfrom os import path\nk = 3",
        "def f(n=2): return k * n\ng = lambda: f() + m.floor(1.5)",
        "class Base:\n    def m(self): return g()\nclass C(Base):\n    def m(self): return super().m() + f(1)",
        "def outer():\n    n = 0\n    def count():\n        nonlocal n\n        n += k\n        return n\n    return count",
        "count = outer()",
    )

    made = run(bench, "y = C().m(), count(), count(), path.sep", user_ns)

    assert made.bound["y"] == (10, 3, 6, "/")


def test_functions_see_what_their_names_mean_in_the_task(bench: Bench) -> None:
    user_ns = a_notebook("k = 1\ndef f(): return k\nclass C:\n    def m(self): return k")

    made = run(bench, "y = f(), C().m()\nk = 2\nz = f(), C().m()", user_ns, inputs=lambda: {"k": 7})

    assert (made.bound["y"], made.bound["z"]) == ((7, 7), (2, 2))
    assert user_ns["k"] == 1


def test_inputs_are_those_of_the_moment_when_the_attempt_begins(bench: Bench) -> None:
    user_ns = a_notebook()
    inputs: dict[str, Any] = {"x": 1}
    task = a_task("y = x", user_ns, inputs=lambda: inputs)
    inputs["x"] = 2

    assert bench.values(task).bound["y"] == 2


def test_names_that_share_an_object_share_it_there(bench: Bench) -> None:
    user_ns = a_notebook("a = []\nb = [a]")

    assert run(bench, "a.append(1)\ny = b[0]", user_ns).bound["y"] == [1]


def test_a_class_of_the_cell_can_be_pickled_there(bench: Bench) -> None:
    text = "import pickle\nclass P:\n    def __init__(self): self.n = 1\ny = pickle.loads(pickle.dumps(P())).n"

    assert run(bench, text, a_notebook()).bound["y"] == 1


def test_cells_may_await_there(bench: Bench) -> None:
    assert run(bench, "import asyncio\ny = await asyncio.sleep(0, 5)", a_notebook()).bound["y"] == 5


# -- back ----------------------------------------------------------------------------------------------------------------


def test_what_comes_back_is_of_this_notebook(bench: Bench) -> None:
    user_ns = a_notebook("k = 1\nclass C:\n    def m(self): return k\nshared = {'a': 1}")

    land([run(bench, "c = C()\nd = shared\ndef f(): return k\nclass D(C): pass\nk = 5", user_ns)], user_ns)
    exec("k = 9", user_ns)

    assert type(user_ns["c"]) is user_ns["C"]
    assert user_ns["d"] is user_ns["shared"]
    assert user_ns["f"].__globals__ is user_ns
    assert (user_ns["f"](), user_ns["c"].m(), user_ns["D"]().m()) == (9, 9, 9)
    assert issubclass(user_ns["D"], user_ns["C"])


@pytest.mark.parametrize(
    ("cell", "text", "seen"),
    [
        ("x = [1]", "x.append(2)", [1, 2]),
        ("x = {'a': 1}", "x['b'] = 2", {"a": 1, "b": 2}),
        ("x = {1}", "x.add(2)", {1, 2}),
        ("x = bytearray(b'a')", "x.extend(b'b')", bytearray(b"ab")),
        ("from collections import deque\nx = deque([1], 2)", "x.extend([2, 3])", [2, 3]),
    ],
)
def test_an_input_that_was_changed_is_changed_here_too(bench: Bench, cell: str, text: str, seen: object) -> None:
    user_ns = a_notebook(cell, "also = x\nholder = [x]")

    made = run(bench, text, user_ns, hands_back={"x"})

    assert made.handed_back["x"] is user_ns["x"]
    assert user_ns["holder"][0] is user_ns["x"]
    assert (list(user_ns["also"]) if isinstance(seen, list) else user_ns["also"]) == seen


def test_an_object_of_a_notebook_class_is_changed_here_too(bench: Bench) -> None:
    user_ns = a_notebook("class M:\n    def fit(self): self.w = [1]\nm = M()\nalso = m")

    made = run(bench, "m.fit()\nbest = m", user_ns, hands_back={"m"})

    assert user_ns["also"].w == [1]
    assert made.bound["best"] is user_ns["m"]


def test_arrays_and_tables_are_changed_here_too(bench: Bench) -> None:
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    user_ns = a_notebook()
    user_ns.update(a=numpy.zeros(3), df=pandas.DataFrame({"n": [1]}))
    view, table = user_ns["a"][:2], user_ns["df"]

    made = run(bench, "a[0] = 7\ndf['m'] = 2", user_ns, hands_back={"a", "df"})
    land([made], user_ns)

    assert view.tolist() == [7, 0]
    assert user_ns["df"] is table
    assert table.to_dict("list") == {"n": [1], "m": [2]}
    table.flags.allows_duplicate_labels = False


def test_what_cannot_be_changed_in_place_is_replaced_under_all_its_names(bench: Bench) -> None:
    user_ns = a_notebook("from collections import Counter\nc = Counter()\nalso = c\nholder = [c]")

    land([run(bench, "c['a'] += 1", user_ns, hands_back={"c"})], user_ns)

    assert user_ns["c"] == {"a": 1}
    assert user_ns["also"] is user_ns["c"]
    assert user_ns["holder"][0] == {}


def test_objects_that_hold_one_another_are_one_family_afterwards(bench: Bench) -> None:
    user_ns = a_notebook(
        "class Node:\n    def __init__(self, up=None):\n        self.up, self.down = up, []\nroot = Node()\nrows = [root]"
    )

    made = run(bench, "root.down.append(Node(root))\nrows.append(rows)", user_ns, hands_back={"root", "rows"})
    land([made], user_ns)

    root, rows = user_ns["root"], user_ns["rows"]
    assert root.down[0].up is root
    assert rows[0] is root
    assert rows[1] is rows


def test_an_input_that_nobody_changes_does_not_travel_back(bench: Bench) -> None:
    user_ns = a_notebook(
        "class Big:\n    def __reduce__(self):\n        log.append(1)\n        return Big, ()\nlog = []\nx = Big()"
    )

    made = run(bench, "y = x\nz = [x]", user_ns)

    assert made.bound["y"] is user_ns["x"]
    assert made.bound["z"][0] is user_ns["x"]
    assert user_ns["log"] == [1]


def test_objects_with_names_of_their_own_stay_what_they_are_inside_of_others(bench: Bench) -> None:
    user_ns = a_notebook("a = [1]\nb = [a]")

    made = run(bench, "c = b + [2]", user_ns)

    assert made.bound["c"][0] is user_ns["a"]


# -- output --------------------------------------------------------------------------------------------------------------


def test_output_comes_while_the_cell_runs(bench: Bench, tmp_path: Any) -> None:
    sink, go = ListSink(), tmp_path / "go"
    seen = threading.Event()

    def stream(name: str, text: str) -> None:
        sink.told.append(("stream", name, text))
        if text.endswith("\n"):
            seen.set()

    sink.stream = stream  # type: ignore[method-assign]
    text = (
        f"import os, sys, time\nprint('before')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "print('after', file=sys.stderr)\ndisplay(1)\n!echo child\nos.write(1, b'raw')\n2"
    )
    ended: list[CellValues] = []
    thread = threading.Thread(target=lambda: ended.append(run(bench, text, a_notebook(), sink=sink)))
    thread.start()

    assert seen.wait(30)
    assert sink.text == "before\n"
    go.touch()
    thread.join(30)

    assert ended
    assert sink.text == "before\nafter\nchild\nraw"
    assert [one[0]["text/plain"] for one in sink.only("display")] == ["1"]
    assert sink.only("result") == [("2",)]


def test_much_output_arrives_whole(bench: Bench) -> None:
    sink = ListSink()

    run(bench, "for i in range(20000): print(i)\nprint('x' * 300000)", a_notebook(), sink=sink)

    assert sink.text == "".join(f"{i}\n" for i in range(20000)) + "x" * 300000 + "\n"


def test_an_error_is_shown_with_the_lines_of_the_cell(bench: Bench) -> None:
    sink = ListSink()

    outcome = failure(bench, a_task("def half(n):\n    return n / 0\n\nhalf(1)", a_notebook(), sink))

    [(name, _, text)] = sink.only("error")
    assert name == "ZeroDivisionError"
    assert isinstance(outcome.value, ZeroDivisionError)
    assert "return n / 0" in text
    assert "half(1)" in text
    assert "notebook_flows" not in text
    assert "notebook_flows" not in outcome.details["traceback"]


def test_an_error_of_a_class_of_the_notebook_comes_back_as_one(bench: Bench) -> None:
    user_ns = a_notebook("class Bad(Exception): pass")

    assert type(failure(bench, a_task("raise Bad(3)", user_ns)).value) is user_ns["Bad"]


# -- what cannot travel --------------------------------------------------------------------------------------------------


def test_an_input_that_cannot_be_sent_is_named(bench: Bench) -> None:
    user_ns = a_notebook("import threading\nlock = threading.Lock()\nn = 1")

    problem = failure(bench, a_task("with lock: y = n", user_ns)).value

    assert isinstance(problem, NotTransferable)
    assert "Task 'task' reads 'lock', a _thread.lock, which cannot be sent to another process" in str(problem)
    assert "--executor threads" in str(problem)


def test_what_only_an_uncalled_function_reads_may_stay(bench: Bench) -> None:
    user_ns = a_notebook(
        "import threading\nlock = threading.Lock()\ndef f(locked):\n    if locked: return lock\n    return 1"
    )

    assert run(bench, "y = f(False)", user_ns).bound["y"] == 1

    problem = failure(bench, a_task("y = f(True)", user_ns)).value
    assert isinstance(problem, NameError)
    assert "could not be sent to this process" in problem.__notes__[0]


def test_a_value_that_cannot_come_back_is_named(bench: Bench) -> None:
    problem = failure(bench, a_task("ok = 1\ng = (i for i in 'ab')", a_notebook())).value

    assert isinstance(problem, NotTransferable)
    assert "has bound 'g', a builtins.generator, which cannot be sent back" in str(problem)


def test_a_value_that_nobody_needs_may_stay_there(bench: Bench) -> None:
    made = run(bench, "ok = 1\ng = (i for i in 'ab')", a_notebook(), needed=frozenset({"ok"}))

    assert made.bound == {"ok": 1}
    assert list(made.left_behind) == ["g"]


def test_a_file_that_is_closed_may_stay_there(bench: Bench) -> None:
    made = run(bench, "with open('/dev/null') as f: text = f.read()", a_notebook())

    assert made.bound == {"text": ""}
    assert list(made.left_behind) == ["f"]


def test_a_process_that_dies_ends_its_own_task_only(bench: Bench) -> None:
    sink = ListSink()
    dying = a_task("print('last words', flush=True)\nimport os\nos._exit(7)", a_notebook(), sink)
    living = a_task("y = 1", a_notebook())

    died, lived = bench.outcomes([dying, living])

    assert died.state is S.CRASHED
    assert isinstance(died.value, WorkerDied)
    assert living.values_of(lived.value).bound == {"y": 1}
