"""Cells in, edges with reasons out; and what runners ask of them."""

from __future__ import annotations

from typing import Any

import pytest
from notebooks import connected, told

from notebook_flows.analysis import Reason
from notebook_flows.analysis.feeding import fed_by, feeders


def edges(*expected: str) -> set[str]:
    return set(expected)


LOG = """
class Log:
    def __init__(self): self.rows = []
    def add(self, row): self.rows.append(row)
    def __len__(self): return len(self.rows)
log = Log()
"""
TABLE = [
    pytest.param(
        [
            "import pandas as pd",
            "%%task a\nn = 1",
            "%%task b\nx = table.query('k > @n')",
            "%%task c\ny = pd.eval('n + 1')",
        ],
        edges("a → b: n (data)", "a → c: n (data)"),
        id="names in the text of a query are read, too",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\ny = x", "%%task c\nz = x + y"],
        edges("a → b: x (data)", "a → c: x (data)", "b → c: y (data)"),
        id="the nearest definer above gives the value",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\nx = 2", "%%task c\nprint(x)"],
        edges("b → c: x (data)"),
        id="binding a name anew makes a version, and no edge between the two",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\nprint(x)", "%%task c\nx = 2"],
        edges("a → b: x (data)"),
        id="a reader does not hold up who binds the name anew below",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\nif x > 1: y = 1\nelse: z = 2", "%%task c\ny = 2", "%%task d\nprint(y)"],
        edges("a → b: x (data)", "c → d: y (data)"),
        id="who binds surely hides who may bind above",
    ),
    pytest.param(
        ["%%task a\ny = 1", "%%task b\nif k(): y = 2", "%%task c\nprint(y)"],
        edges("a → c: y (may define)", "b → c: y (may define)"),
        id="who only may bind leaves the one above in play",
    ),
    pytest.param(
        ["%%task a\nx = []", "%%task b\nprint(x)", "%%task c\nx.append(1)", "%%task d\nprint(x)"],
        edges(
            "a → b: x (data)",
            "a → c: x (data)",
            "b → c: x (mutation)",
            "a → d: x (data)",
            "c → d: x (mutation)",
        ),
        id="a change waits for the readers above, and those below wait for it",
    ),
    pytest.param(
        ["%%task a\nx = []", "%%task b\nx.append(1)", "%%task c\nx.append(2)"],
        edges("a → b: x (data)", "a → c: x (data)", "b → c: x (mutation)"),
        id="two changes keep their order",
    ),
    pytest.param(
        ["%%task a\nx = []", "%%task b\ny = x", "%%task c\ny.append(1)", "%%task d\nprint(x)"],
        edges(
            "a → b: x (data)",
            "b → c: y (data)",
            "b → c: y (mutation)",
            "a → d: x (data)",
            "c → d: x (mutation)",
        ),
        id="a change through another name is a change",
    ),
    pytest.param(
        ["%%task a\nx = [[]]", "%%task b\ny = x[0]", "%%task c\ny.append(1)", "%%task d\nprint(x)"],
        edges(
            "a → b: x (data)",
            "b → c: y (data)",
            "b → c: y (mutation)",
            "a → d: x (data)",
            "c → d: x (mutation)",
        ),
        id="a change of something inside is a change",
    ),
    pytest.param(
        ["%%task a\nx = [[]]", "%%task b\ny = list(x)\ny.append(1)", "%%task c\nprint(x)"],
        edges("a → b: x (data)", "a → c: x (data)"),
        id="a change of a copy is none",
    ),
    pytest.param(
        ["%%task a\nx = [1]", "%%task b\nprint(unknown(x))", "%%task c\nprint(x)"],
        edges("a → b: x (data)", "a → c: x (data)", "b → c: x (mutation)"),
        id="an unknown call possibly changes what it gets",
    ),
    pytest.param(
        ["%%task a\nx = 3", "%%task b\nprint(unknown(x))", "%%task c\nprint(x)"],
        edges("a → b: x (data)", "a → c: x (data)"),
        id="nobody changes a number",
    ),
    pytest.param(
        ["def f(l): l.append(1)", "%%task a\nx = []", "%%task b\nf(x)", "%%task c\nprint(x)"],
        edges("a → b: x (data)", "a → c: x (data)", "b → c: x (mutation)"),
        id="a function of the notebook that changes its argument",
    ),
    pytest.param(
        ["def f(l): return len(l)", "%%task a\nx = []", "%%task b\nf(x)", "%%task c\nprint(x)"],
        edges("a → b: x (data)", "a → c: x (data)"),
        id="a function of the notebook that only looks",
    ),
    pytest.param(
        ["%%task a\nK = 1", "def f(): return K", "%%task b\nx = f()", "%%task c\nK = 2", "%%task d\ny = f()"],
        edges("a → b: K (late data)", "c → d: K (late data)"),
        id="what a function reads is read when it is called",
    ),
    pytest.param(
        ["%%task a\ndef f(): return g()", "%%task b\ndef g(): return 1", "%%task c\nf()"],
        edges("a → c: f (data)", "b → c: g (late data)"),
        id="functions may stand above what they call",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\nexec('y = x')", "%%task c\nprint(y)", "%%task d\nz = 1"],
        edges("a → b: - (barrier)", "b → c: - (barrier)", "b → c: y (data)", "b → d: - (barrier)"),
        id="what cannot be seen through runs alone",
    ),
    pytest.param(
        ["import numpy as np", "%%task a\nx = np.random.rand()", "%%task b\nz = 1", "%%task c\ny = np.random.rand()"],
        edges("a → b: - (hidden state)", "a → c: - (hidden state)", "b → c: - (hidden state)"),
        id="who uses the random state runs alone",
    ),
    pytest.param(
        [
            "import pandas as pd\ndf = pd.read_csv('f')",
            "%%task a\none = df[df.x > 1]\none['y'] = 1",
            "%%task b\ntwo = df.groupby('k').x.mean()",
            "%%task c\nthree = df.copy()\nthree.loc[0, 'x'] = 1",
            "%%task d\ndf.describe()",
        ],
        edges(),
        id="a fan-out over a table is parallel",
    ),
    pytest.param(
        ["it = iter([1, 2])", "%%task a\nx = next(it)", "%%task b\ny = list(it)"],
        edges("a → b: it (mutation)"),
        id="an iterator moves on as it is read",
    ),
    pytest.param(
        [
            "prev = a = [0]\nb = [1]",
            "%%task p\nfor _ in range(2):\n    cur = prev\n    prev = b",
            "%%task q\ncur.append(1)",
            "%%task r\nprint(b)",
        ],
        edges("p → q: cur (may define)", "p → q: cur (mutation)", "q → r: b (mutation)"),
        id="a value that comes round a loop",
    ),
    pytest.param(
        [
            LOG,
            "%%task a\nprint(len(log))",
            "%%task b\nlog.add(1)",
            "%%task c\nprint(len(log))",
        ],
        edges("a → b: log (mutation)", "b → c: log (mutation)"),
        id="a method of the notebook that changes its object",
    ),
    pytest.param(
        [
            "def make():\n    n = []\n    def f(): n.append(1)\n    return f\nf = make()",
            "%%task a\nf()",
            "%%task b\nf()",
        ],
        edges("a → b: f (mutation)"),
        id="a closure that remembers",
    ),
    pytest.param(
        ["b = c = [1]", "%%task p\na = b + c", "%%task q\na.append(1)", "%%task r\nprint(a)"],
        edges("p → q: a (data)", "p → r: a (data)", "q → r: a (mutation)"),
        id="a sum of lists is a list that can be changed",
    ),
    pytest.param(
        ["%%task a\nx = 1", "%%task b\ndel x", "%%task c\nx = 2\nprint(x)"],
        edges("a → b: x (data)"),
        id="to delete a name is to use it",
    ),
]


@pytest.mark.parametrize(("sources", "expected"), TABLE)
def test_tasks_wait_for_what_they_need_and_for_nothing_else(sources: list[str], expected: set[str]) -> None:
    assert told(connected(*sources)) == expected


DECLARED = [
    pytest.param({"b": {"needs": frozenset({"a"})}}, {"a → b: - (needs)", "b → c: x (mutation)"}, id="needs"),
    pytest.param({"b": {"pure": True}, "c": {"pure": True}}, set(), id="pure"),
    pytest.param({"b": {"writes": frozenset()}}, set(), id="writes nothing"),
    pytest.param({"c": {"reads": frozenset(), "writes": frozenset()}}, set(), id="reads nothing"),
    pytest.param(
        {"c": {"reads": frozenset({"y"})}, "b": {"writes": frozenset({"y"})}}, {"b → c: y (data)"}, id="writes"
    ),
]


@pytest.mark.parametrize(("declared", "expected"), DECLARED)
def test_what_is_declared_wins(declared: dict[str, Any], expected: set[str]) -> None:
    sources = ["x = []", "%%task a\nz = 1", "%%task b\nunknown(x)", "%%task c\nprint(x)"]

    assert told(connected(*sources, **declared)) == expected


def test_without_declarations_the_unknown_call_orders() -> None:
    found = connected("x = []", "%%task a\nz = 1", "%%task b\nunknown(x)", "%%task c\nprint(x)")

    assert told(found) == {"b → c: x (mutation)"}


def test_a_cell_that_declares_reads_and_writes_is_no_barrier() -> None:
    declared = {"b": {"reads": frozenset({"x"}), "writes": frozenset({"y"})}}

    found = connected("%%task a\nx = 1", "%%task b\nexec('y = x')", "%%task c\nz = y", "%%task d\nk = 1", **declared)

    assert told(found) == {"a → b: x (data)", "b → c: y (data)"}


def test_an_ordinary_cell_needs_the_tasks_whose_outputs_it_reads_and_theirs() -> None:
    found = connected("%%task a\nx = 1", "%%task b\ny = x", "%%task c\nz = 1", "print(y)")

    assert found.needed_before("c3") == ("a", "b")
    assert found.needed_before("c3", pending=["b", "c"]) == ("b",)


@pytest.mark.parametrize(
    ("cell", "needed"),
    [
        ("w = 1", ()),
        ("print(y)", ("a",)),
        ("y = 1", ("a",)),
        ("if w(): y = 1", ("a",)),
        ("del y", ("a",)),
        ("x = 2", ("a", "b")),
        ("x.append(1)", ("a", "b")),
        ("v = x\nv[0] = 1", ("a", "b")),
        ("print(x)", ()),
        ("f(x)", ("a", "b")),
        ("exec('1')", ("a", "b", "c")),
        ("%run other.py", ("a", "b", "c")),
        ("from m import *", ("a", "b", "c")),
        ("x = (", ("a", "b", "c")),
        ("import os\nos.chdir('/')", ("a", "b", "c")),
        ("def g(): return y", ()),
        ("def g(): return y\ng()", ("a",)),
    ],
)
def test_pending_tasks_run_before_the_ordinary_cells_that_concern_them(cell: str, needed: tuple[str, ...]) -> None:
    found = connected("x = [1]", "%%task a\ny = len(x)", "%%task b\nz = [x]", "%%task c\nu = 1", cell)

    assert found.needed_before("c4") == needed


def test_an_ordinary_cell_waits_for_a_task_that_changes_what_it_reads() -> None:
    found = connected("x = []", "%%task a\nx.append(1)", "print(x)")

    assert found.needed_before("c2") == ("a",)


def test_a_change_makes_everything_stale_that_rests_on_it() -> None:
    found = connected("K = 1", "def f(): return K", "%%task a\nx = f()", "%%task b\ny = x", "%%task c\nz = 1")

    assert fed_by(feeders(found), ["c0"]) == {"c0", "a", "b"}
    assert fed_by(feeders(found), ["b"]) == {"b"}


def test_every_edge_says_why_it_stands() -> None:
    found = connected("%%task load\ndf = {}", "%%task clean\ndf['x'] = 1", "%%task plot\nprint(df)")

    assert [edge.text for edge in found.why("clean", "plot")] == ["'plot' uses df, which 'clean' may change before"]
    assert [edge.text for edge in found.why("load", "plot")] == ["'plot' reads df, which 'load' binds"]


def test_a_plain_notebook_has_a_dataflow_and_no_order_edges() -> None:
    found = connected("x = 1", "y = x", "z = 1", "print(x, y)")

    flow = {(edge.upstream_key, edge.downstream_key, edge.name) for edge in found.dataflow}
    assert flow == {("c0", "c1", "x"), ("c0", "c3", "x"), ("c1", "c3", "y")}
    assert found.order == ()


def test_a_name_that_nobody_binds_is_told_with_the_likely_slip() -> None:
    found = connected("threshold = 1", "\nprint(treshold)")

    (problem,) = found.unresolved
    assert (problem.name, problem.line, problem.nearest, problem.below) == ("treshold", 2, "threshold", None)
    assert problem.text == "Cell 'c1' reads treshold, which no cell above binds. Did you mean threshold?"


def test_a_name_that_is_only_bound_below_is_told() -> None:
    found = connected("print(x)", "x = 1")

    (problem,) = found.unresolved
    assert problem.below == "c1"
    assert problem.text == "Cell 'c0' reads x, which no cell above binds. Cell 'c1', below, does: move it up."


def test_a_function_may_read_what_is_bound_below() -> None:
    found = connected("def f(): return x", "x = 1", "f()")

    assert found.unresolved == ()
    assert found.cells["c2"].inputs == {"f": ("c0",), "x": ("c1",)}


def test_needs_that_name_no_task_are_told() -> None:
    found = connected("%%task load\nx = 1", "%%task b\ny = 1", b={"needs": frozenset({"laod"})})

    (problem,) = found.unresolved
    assert problem.text == "Task 'b' waits for 'laod', which is no task above it. Did you mean 'load'?"


def test_names_that_a_star_import_may_bring_are_not_reported() -> None:
    found = connected("from math import *", "x = sqrt(2)")

    assert found.unresolved == ()
    assert found.cells["c1"].inputs == {"sqrt": ("c0",)}
    assert found.unseen == (("c0", "from math import *"),)


def test_a_builtin_that_a_cell_binds_is_a_name_like_others() -> None:
    found = connected("%%task a\nsum = [1]", "%%task b\nprint(sum)", "%%task c\nprint(len(sum))")

    assert told(found) == {"a → b: sum (data)", "a → c: sum (data)"}


def test_a_task_that_calls_a_function_with_a_global_statement_runs_alone() -> None:
    found = connected("n = 0\ndef bump():\n    global n\n    n += 1", "%%task a\nbump()", "%%task b\nx = 1")

    assert found.cells["a"].alone == ("a function binds n by global",)
    assert "n" in found.cells["a"].outputs
    assert {edge.kind for edge in found.task_edges} == {Reason.BARRIER}


def test_what_others_may_call_binds_names_perhaps_and_what_the_cell_itself_calls_surely() -> None:
    bump = "import far_away\nn = 0\ndef bump(x=0):\n    global n\n    n += 1"
    found = connected(bump, "%%task a\nfar_away.call(bump)", "%%task b\nbump()", "%%task c\nprint(n)")

    assert found.cells["a"].may_outputs == {"n"}
    assert found.cells["b"].may_outputs == set()
    assert found.cells["c"].inputs["n"] == ("b",)


def test_names_that_may_share_an_object_are_listed() -> None:
    found = connected("%%task a\nx = [1]", "%%task b\ny = x\nz = len(x)\nw = [x]")

    assert found.cells["b"].shares == {"y": {"x"}, "w": {"x"}}


def test_cells_with_equal_text_are_different_cells() -> None:
    found = connected("x = []", "%%task a\nx.append([])", "%%task b\nx.append([])", "%%task c\nprint(x)")

    assert told(found) == {"a → b: x (mutation)", "b → c: x (mutation)"}


def test_functions_that_call_one_another_in_too_many_ways_run_alone() -> None:
    functions = [f"def f{n}(x): return [{', '.join(f'f{m}(x)' for m in range(n + 1, 30))}]" for n in range(30)]
    found = connected("\n".join(functions), "%%task a\nx = [1]", "%%task b\ny = f0(x)", "%%task c\nprint(x, y)")

    assert found.cells["b"].outputs == {"y"}
    assert {"a → b: x (data)", "b → c: y (data)"} <= told(found)


def test_only_those_need_a_cell_that_is_no_python_who_read_what_it_seems_to_bind() -> None:
    found = connected(
        "%%task a\nx = 1", "%%task b\ny = (", "%%task c\nz = x", "%%task d\nz = y", "%%task e\nprint(nobodys)"
    )

    above = feeders(found)
    assert {key: above[key] for key in "cde"} == {"c": ["a"], "d": ["b"], "e": ["b"]}
    assert {edge.upstream_key for edge in found.order if edge.downstream_key == "c"} == {"a", "b"}


@pytest.mark.parametrize(
    ("source", "definers"),
    [
        ("exec(text)", ("c0", "c1")),
        ("%run other.py", ("c0", "c1")),
        ("from m import *", ("c0", "c1")),
        ("y = (", ("c0",)),
        ("y = 1\n%%task load", ("c0",)),
    ],
)
def test_who_cannot_be_seen_through_may_bind_any_name_anew_unless_it_is_a_mistake(
    source: str, definers: tuple[str, ...]
) -> None:
    found = connected("x = text = 1", source, "print(x)")

    assert found.cells["c2"].inputs == {"x": definers}
