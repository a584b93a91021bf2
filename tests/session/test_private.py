"""A task cell runs in names of its own, and leaves what it has bound."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from types import ModuleType

import pytest
from cells import ListSink, a_cell, a_notebook, run_and_land, run_of

from notebook_flows.session.landing import land, snapshot
from notebook_flows.session.private import run_on_loop, run_private
from notebook_flows.session.routing import install, uninstall
from notebook_flows.session.running import NeedsLoop
from notebook_flows.session.values import CellValues


class Big:
    """Something that can be watched."""


def test_a_run_changes_no_name_of_the_notebook_before_it_lands() -> None:
    user_ns = a_notebook("x = 1\nold = 2")
    before = dict(user_ns)

    made = run_of("x = x + 1\ny = 3\ndel old", user_ns)

    assert user_ns == before
    assert made == CellValues(bound={"x": 2, "y": 3}, deleted=frozenset({"old"}))


def test_landing_binds_and_deletes() -> None:
    user_ns = a_notebook("x = 1\nold = 2")

    landed = land([run_of("x = x + 1\ndel old", user_ns)], user_ns)

    assert user_ns["x"] == 2
    assert "old" not in user_ns
    assert (landed.bound, landed.deleted) == ({"x"}, {"old"})


def test_objects_are_shared() -> None:
    user_ns = a_notebook("rows = [1]")

    made = run_of("rows.append(2)\nsame = rows", user_ns)

    assert user_ns["rows"] == [1, 2]
    assert made.bound["same"] is user_ns["rows"]


def test_given_values_win_over_those_of_the_notebook() -> None:
    assert run_of("y = x * 2", a_notebook("x = 1"), x=10).bound["y"] == 20


def test_a_name_that_was_deleted_above_is_not_there() -> None:
    user_ns = a_notebook("x = 1")

    with pytest.raises(NameError, match="x"):
        run_private(a_cell("y = x"), values={}, user_ns=user_ns, sink=ListSink(), absent={"x"})


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("x = 5", {"x": 5}),  # the very object that is there already: bound all the same
        ("if False:\n    x = 5", {}),
        ("if True:\n    x = 5", {"x": 5}),
        ("for i in range(3): pass", {"i": 2}),
        ("import math as m\nfrom os import sep", {"m": __import__("math"), "sep": "/"}),
        ("with open('/dev/null') as f: n = f.read()", {"n": ""}),
        ("(a, *b), c = [1, 2, 3], 4", {"a": 1, "b": [2, 3], "c": 4}),
        ("x += 1", {"x": 6}),
        ("[y := 1 for _ in 'a']", {"y": 1}),
    ],
)
def test_what_a_cell_binds(text: str, bound: dict[str, object]) -> None:
    made = run_of(text, a_notebook("x = 5"))

    assert {name: value for name, value in made.bound.items() if name in bound} == bound
    assert ("x" in made.bound) == ("x" in bound)
    assert made.unpredicted == frozenset()


def test_names_that_nobody_foresaw_land_and_are_told() -> None:
    user_ns = a_notebook()

    made = run_private(a_cell("a = 1\nb = 2"), values={}, user_ns=user_ns, sink=ListSink(), predicted=frozenset({"a"}))
    land([made], user_ns)

    assert made.unpredicted == {"b"}
    assert user_ns["b"] == 2


def test_a_reader_that_cannot_be_seen_finds_the_names_of_the_notebook() -> None:
    pandas = pytest.importorskip("pandas")
    user_ns = a_notebook("limit = 1")
    user_ns["df"] = pandas.DataFrame({"a": [1, 2, 3]})

    assert len(run_of("few = df.query('a > @limit')", user_ns).bound["few"]) == 2


# -- output and errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("1\n2", ["2"]),
        ("x = 1\nx", ["1"]),
        ("1;", []),
        ("1; # hush", []),
        ("None", []),
        ("x = 1", []),
        ("'a;'", ["'a;'"]),
        ("if True:\n    1", []),
        ("", []),
    ],
)
def test_the_last_expression_is_displayed(text: str, results: list[str]) -> None:
    sink = ListSink()

    run_of(text, a_notebook(), sink)

    assert sink.only("result") == [(one,) for one in results]


def test_an_error_is_shown_with_the_lines_of_the_cell_and_raised() -> None:
    sink = ListSink()

    with pytest.raises(ZeroDivisionError):
        run_of("# first line\ndef half(n):\n    return n / 0\n\nhalf(1)", a_notebook(), sink)

    [(name, sentence, text)] = sink.only("error")
    assert (name, sentence) == ("ZeroDivisionError", "division by zero")
    assert "return n / 0" in text
    assert "half(1)" in text
    assert "notebook_flows/session" not in text


def test_an_error_that_cannot_be_told_is_shown_with_its_lines() -> None:
    sink = ListSink()

    with pytest.raises(Exception):  # noqa: B017, PT011 - of a class that only the cell knows
        run_of("class Dumb(Exception):\n    def __str__(self):\n        return 1\n\nraise Dumb", a_notebook(), sink)

    [(name, sentence, text)] = sink.only("error")
    assert (name, sentence) == (
        "Dumb",
        "(its text could not be made: TypeError: __str__ returned non-string (type int))",
    )
    assert "raise Dumb" in text
    assert text.endswith("Dumb (its text could not be made: TypeError: __str__ returned non-string (type int))")


def test_a_cell_that_does_not_compile_shows_where() -> None:
    sink = ListSink()

    with pytest.raises(SyntaxError):
        run_of("x = 1\ny = = 2", a_notebook(), sink)

    [(name, _, text)] = sink.only("error")
    assert name == "SyntaxError"
    assert "y = = 2" in text


def test_a_failed_run_leaves_nothing_and_keeps_nothing_alive() -> None:
    user_ns = a_notebook()
    user_ns["Big"] = Big
    gone = []
    user_ns["watch"] = lambda big: gone.append(weakref.ref(big))

    with pytest.raises(KeyError) as caught:
        run_of("big = Big()\nwatch(big)\ndef f(inner):\n    watch(inner)\n    raise KeyError(1)\nf(Big())", user_ns)
    gc.collect()

    assert [one() for one in gone] == [None, None]
    assert caught.value.__traceback__ is not None


def test_a_run_that_has_landed_keeps_nothing_alive() -> None:
    user_ns = a_notebook("def f(): return big")
    user_ns["big"] = Big()
    gone = weakref.ref(user_ns["big"])

    run_and_land("kept = [lambda: big]\ndef g(): return f()\nn = 1", user_ns)
    user_ns["big"] = None
    gc.collect()

    assert gone() is None
    assert user_ns["kept"][0]() is None


# -- threads and the loop ------------------------------------------------------------------------------------------------


def test_two_runs_at_once_do_not_see_each_others_names() -> None:
    user_ns = a_notebook("def f(): return k")
    user_ns["barrier"] = threading.Barrier(2, timeout=20)
    made = {}

    def run(k: int) -> None:
        made[k] = run_of(f"k = {k}\nbarrier.wait()\nseen = f(), k\nbarrier.wait()", user_ns)

    threads = [threading.Thread(target=run, args=(k,)) for k in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {k: values.bound["seen"] for k, values in made.items()} == {1: (1, 1), 2: (2, 2)}


def test_cells_await_side_by_side_on_the_loop() -> None:
    user_ns = a_notebook("import asyncio")
    sinks = [ListSink(), ListSink()]

    async def both() -> list[CellValues]:
        user_ns["ping"], user_ns["pong"] = asyncio.Event(), asyncio.Event()
        first = a_cell("ping.set()\nx = 1\nawait asyncio.wait_for(pong.wait(), 20)\nx")
        second = a_cell("await asyncio.wait_for(ping.wait(), 20)\nx = 2\npong.set()\nx")
        return await asyncio.gather(
            *(
                run_on_loop(code, values={}, user_ns=user_ns, sink=sink)
                for code, sink in zip((first, second), sinks, strict=True)
            )
        )

    made = asyncio.run(both())

    assert [one.bound["x"] for one in made] == [1, 2]
    assert [sink.only("result") for sink in sinks] == [[("1",)], [("2",)]]


def test_a_cell_that_awaits_says_where_it_can_run() -> None:
    with pytest.raises(NeedsLoop, match="event loop"):
        run_of("await x", a_notebook("x = 1"))


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of a notebook."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def test_what_a_cell_has_defined_can_be_pickled_before_it_has_landed(main: ModuleType) -> None:
    text = "import pickle\nclass P:\n    n = 1\ny = pickle.loads(pickle.dumps(P())).n"

    made = run_of(text, vars(main))

    assert made.bound["y"] == 1
    assert type(main) is ModuleType
    with pytest.raises(AttributeError, match="no attribute 'P'"):
        main.P


def test_a_pool_of_processes_works_inside_a_cell(main: ModuleType) -> None:
    install(None)
    text = (
        "from concurrent.futures import ProcessPoolExecutor\nimport multiprocessing\nk = 2\n"
        "def f(x): return x * k\n"
        "with ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as pool: y = list(pool.map(f, [1, 2]))"
    )

    try:
        made = run_of(text, vars(main))
    finally:
        uninstall(None)

    assert made.bound["y"] == [2, 4]


# -- landing -------------------------------------------------------------------------------------------------------------


def test_of_a_name_bound_by_two_tasks_the_last_in_document_order_lands() -> None:
    user_ns = a_notebook()
    second = run_of("x = 2", user_ns)
    first = run_of("x = 1", user_ns)

    land([first, second], user_ns)

    assert user_ns["x"] == 2


def test_a_name_that_the_user_has_bound_meanwhile_is_left_alone() -> None:
    user_ns = a_notebook("x = 1\nz = 1")
    since = snapshot(user_ns)
    made = run_of("x = 2\ny = 2\ndel z", user_ns)
    user_ns.update(x="mine", z="mine")

    landed = land([made], user_ns, since=since)

    assert (user_ns["x"], user_ns["y"], user_ns["z"]) == ("mine", 2, "mine")
    assert landed.kept == {"x", "z"}


def test_what_pythons_warnings_keep_in_the_globals_is_nobodys_value() -> None:
    body = "import warnings\nwith warnings.catch_warnings(record=True, action='once'):\n    warnings.warn('careful')"

    made = run_of(body, a_notebook(""))

    assert set(made.bound) == {"warnings"}
    assert not made.unpredicted
