"""A cell that runs alone borrows the notebook's namespace, and gives it back."""

from __future__ import annotations

import asyncio

import pytest
from cells import ListSink, a_cell, a_notebook

from notebook_flows.session.exclusive import run_exclusive, run_exclusive_on_loop
from notebook_flows.session.landing import land


def test_names_are_given_back_and_land_later() -> None:
    user_ns = a_notebook("x = 1\nold = 2\nclass C:\n    def m(self): return x")
    before = dict(user_ns)

    made = run_exclusive(a_cell("x = 5\ny = C().m()\ndel old"), values={}, user_ns=user_ns, sink=ListSink())

    assert user_ns == before
    assert (made.bound, made.deleted) == ({"x": 5, "y": 5}, {"old"})
    land([made], user_ns)
    assert (user_ns["x"], user_ns["y"], "old" in user_ns) == (5, 5, False)


def test_it_sees_its_own_versions_of_names() -> None:
    user_ns = a_notebook("x = 1\ngone = 1\ndef f(): return x")

    made = run_exclusive(
        a_cell("y = f()\nz = 'gone' in globals()"), values={"x": 7}, user_ns=user_ns, sink=ListSink(), absent={"gone"}
    )

    assert made.bound == {"y": 7, "z": False}
    assert (user_ns["x"], user_ns["gone"]) == (1, 1)


def test_global_statements_and_exec_are_seen() -> None:
    user_ns = a_notebook("n = 0")

    made = run_exclusive(
        a_cell("def bump():\n    global n\n    n += 1\nbump()\nexec('m = 4')"),
        values={},
        user_ns=user_ns,
        sink=ListSink(),
    )

    assert (made.bound["n"], made.bound["m"], user_ns["n"]) == (1, 4, 0)
    assert made.unpredicted >= {"m"}
    assert made.bound["bump"].__globals__ is user_ns


def test_a_failure_leaves_the_namespace_as_it_was_and_is_shown() -> None:
    user_ns = a_notebook("x = 1")
    before, sink = dict(user_ns), ListSink()

    with pytest.raises(ZeroDivisionError):
        run_exclusive(a_cell("x = 2\nz = 3\n1 / 0"), values={"x": 9}, user_ns=user_ns, sink=sink)

    assert user_ns == before
    assert sink.only("error")[0][:2] == ("ZeroDivisionError", "division by zero")


def test_it_may_await() -> None:
    user_ns, sink = a_notebook("import asyncio"), ListSink()

    made = asyncio.run(
        run_exclusive_on_loop(a_cell("x = await asyncio.sleep(0, 3)\nx"), values={}, user_ns=user_ns, sink=sink)
    )

    assert made.bound == {"x": 3}
    assert sink.only("result") == [("3",)]


def test_ipythons_history_is_left_alone() -> None:
    user_ns = a_notebook()

    made = run_exclusive(a_cell("exec('_i7 = 1')"), values={}, user_ns=user_ns, sink=ListSink())

    assert made.bound == {}
    assert user_ns["_i7"] == 1
