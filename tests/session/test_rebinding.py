"""Functions of the notebook see the names of the task that calls them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from cells import ListSink, a_cell, a_notebook, run_and_land, run_of

from notebook_flows.session.landing import land
from notebook_flows.session.namespace import Window
from notebook_flows.session.private import NeedsRealNamespace, run_private

F = "def f(): return k"


@pytest.mark.parametrize(
    ("cells", "text", "values", "y"),
    [
        ([F, "k = 1"], "y = f()", {}, 1),
        ([F, "k = 1"], "y = f()", {"k": 2}, 2),
        ([F, "k = 1"], "k = 2\ny = f()", {}, 2),
        ([F, "k = 1"], "y = [f()]\nk = 2\ny += [f()]", {}, [1, 2]),
        ([F, "def g(): return f()", "k = 1"], "k = 2\ny = g()", {}, 2),
        ([F, "k = 1"], "def g(): return f() + k\nk = 2\ny = g()", {}, 4),
        ([F, "k = 1", "def g(): return f()"], "def f(): return 'new'\ny = g()", {}, "new"),
        (["f = lambda n: n + k", "k = 1"], "k = 2\ny = [f(n) for n in (1, 2)]", {}, [3, 4]),
        (["def f(n=1, *, m=2): return n, m, k", "k = 1"], "k = 2\ny = f()", {}, (1, 2, 2)),
        (["def fact(n): return k if n < 1 else n * fact(n - 1)", "k = 1"], "k = 2\ny = fact(3)", {}, 12),
        (["def even(n): return n == k or odd(n - 1)\ndef odd(n): return n != k and even(n - 1)", "k = 0"],
         "k = 2\ny = even(6)", {}, True),
        # closures and decorators
        (["def outer(m):\n    def inner(): return m, k\n    return inner\nf = outer(1)", "k = 1"], "k = 2\ny = f()", {},
         (1, 2)),
        (["import functools\ndef deco(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n    return w",
          "@deco\ndef f(): return k", "k = 1"], "k = 2\ny = f()", {}, 2),
        (["import contextlib\n@contextlib.contextmanager\ndef f(): yield k", "k = 1"],
         "k = 2\nwith f() as y: pass", {}, 2),
        (["import functools\ndef add(a, b): return a + b + k\nf = functools.partial(add, 1)", "k = 1"],
         "k = 2\ny = f(1)", {}, 4),
        (["def f(g=lambda: k): return g()", "k = 1"], "k = 2\ny = f()", {}, 2),
        # kinds of functions
        (["def f():\n    yield k\n    yield k", "k = 1"], "k = 2\ny = list(f())", {}, [2, 2]),
        (["import asyncio\nasync def f(): return k", "k = 1"], "k = 2\ny = asyncio.run(f())", {}, 2),
        (["def f():\n    class C:\n        a = k\n        def m(self): return k\n    return C.a, C().m()", "k = 1"],
         "k = 2\ny = f()", {}, (2, 2)),
        (["def f(): return [k for _ in 'ab']", "k = 1"], "k = 2\ny = f()", {}, [2, 2]),
        # its own functions
        ([], "k = 1\ndef f(): return k\nk = 2\ny = f()", {}, 2),
        ([], "class C:\n    def m(self): return k\nk = 3\ny = C().m()", {}, 3),
        (["xs = [1, 2]"], "k = 3\ny = [x * k for x in xs]", {}, [3, 6]),
        (["xs = [1, 2]"], "k = 3\ny = sum(x * k for x in xs)", {}, 9),
    ],
)  # fmt: skip
def test_a_function_sees_what_its_names_mean_in_the_task(
    cells: list[str], text: str, values: dict[str, Any], y: object
) -> None:
    user_ns = a_notebook(*cells)

    assert run_of(text, user_ns, **values).bound["y"] == y


def test_a_function_that_sees_nothing_else_stays_the_object_that_it_is() -> None:
    user_ns = a_notebook("def f(): return n\nn = 1\nseen = []")

    run_of("k = 2\nseen.append(f)", user_ns)

    assert user_ns["seen"][0] is user_ns["f"]


def test_another_name_for_a_copied_function_lands_as_the_function_itself() -> None:
    user_ns = a_notebook(F, "k = 1")

    run_and_land("k = 2\ng = f\ny = g()", user_ns)

    assert user_ns["g"] is user_ns["f"]
    assert user_ns["y"] == 2


def test_wherever_a_task_puts_a_copied_function_the_function_itself_stands_afterwards() -> None:
    user_ns = a_notebook(F, "k = 1\nclass O: pass")

    run_and_land(
        "k = 2\nlisted = [f]\nmapped = {'f': f}\ngathered = {f}\no = O()\no.f = f\ndef outer(g): return lambda: g\n"
        "inner = outer(f)",
        user_ns,
    )

    f = user_ns["f"]
    assert user_ns["listed"][0] is f
    assert user_ns["mapped"]["f"] is f
    assert user_ns["gathered"] == {f}
    assert user_ns["o"].f is f
    assert user_ns["inner"]() is f


def test_a_counter_in_a_closure_goes_on_counting() -> None:
    user_ns = a_notebook(
        "def counter():\n    n = 0\n    def count():\n        nonlocal n\n        n += k\n        return n\n    return count",
        "count = counter()\nk = 1",
    )
    user_ns["count"]()

    run_and_land("k = 10\ny = count()", user_ns)

    assert user_ns["y"] == 11
    assert user_ns["count"]() == 21


# -- after the run -------------------------------------------------------------------------------------------------------

AFTERWARDS = [
    ("k = 1\ndef f(): return k", "f()"),
    ("k = 1\nf = lambda: k", "f()"),
    ("k = 1\nclass C:\n    def m(self): return k\nc = C()", "c.m()"),
    ("k = 1\nclass C:\n    @staticmethod\n    def m(): return k", "C.m()"),
    ("k = 1\nclass C:\n    @classmethod\n    def m(cls): return k", "C.m()"),
    ("k = 1\nclass C:\n    @property\n    def m(self): return k\nc = C()", "c.m"),
    ("k = 1\nclass C:\n    class D:\n        def m(self): return k", "C.D().m()"),
    ("k = 1\nimport functools\n@functools.lru_cache(0)\ndef f(): return k", "f()"),
    ("k = 1\nimport functools\nf = functools.partial(lambda n: n * k, 1)", "f()"),
    ("k = 1\nfs = [lambda: k]", "fs[0]()"),
    ("k = 1\nclass O: pass\no = O()\no.hook = lambda: k", "o.hook()"),
    ("k = 1\ng = (k for _ in range(9))\nnext(g)", "next(g)"),
    ("k = 1\ndef outer():\n    def inner(): return k\n    return inner\nf = outer()", "f()"),
    ("k = 1\nimport functools\ndef w(g): return functools.wraps(g)(lambda: g())\n@w\ndef f(): return k", "f()"),
    ("k = 1\ndef later(): yield k\nlater = later()", "next(later)"),
]


@pytest.mark.parametrize(("text", "use"), AFTERWARDS)
def test_what_a_task_defines_sees_the_notebook_once_it_has_landed(text: str, use: str) -> None:
    user_ns = a_notebook()

    run_and_land(text, user_ns)
    exec("k = 2\nn = 3", user_ns)

    assert eval(use, user_ns) == 2


@pytest.mark.parametrize(("text", "use"), AFTERWARDS)
def test_what_a_task_defines_works_before_it_has_landed(text: str, use: str) -> None:
    user_ns = a_notebook()
    made = run_of(text, user_ns)

    assert run_of(f"y = {use}", user_ns, **made.bound).bound["y"] == 1


def test_functions_that_a_task_binds_have_the_globals_of_the_notebook() -> None:
    user_ns = a_notebook()

    run_and_land("def f(): return k\ng = f\nf.calls = 3\nclass C:\n    def m(self): return k", user_ns)

    assert user_ns["f"].__globals__ is user_ns
    assert user_ns["f"] is user_ns["g"]
    assert user_ns["f"].calls == 3
    assert user_ns["C"].m.__globals__ is user_ns


def test_what_a_registry_holds_sees_the_notebook_and_no_old_values() -> None:
    user_ns = a_notebook("hooks = []")

    run_and_land("k = 1\n@hooks.append\ndef f(): return k, k2", user_ns)
    exec("k = 2\nk2 = 3", user_ns)

    [hook] = user_ns["hooks"]
    assert hook() == (2, 3)
    assert isinstance(hook.__globals__, Window)
    assert dict.__len__(hook.__globals__) == 0


def test_a_thread_that_outlives_its_cell_finds_its_names_at_any_time() -> None:
    user_ns = a_notebook("import threading")
    user_ns.update(go=threading.Event(), seen=[])
    text = (
        "k = 1\ndef work():\n    seen.append(k)\n    go.wait(20)\n    seen.append(k)\n"
        "t = threading.Thread(target=work)\nt.start()"
    )

    made = run_of(text, user_ns)
    user_ns["go"].set()
    made.bound["t"].join(20)
    land([made], user_ns)

    assert user_ns["seen"] == [1, 1]


# -- what cannot be re-bound ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "text", "words"),
    [
        (["class C:\n    def m(self): return k", "k = 1\nc = C()"], "k = 2\ny = c.m()", r"'c' leads to .*'C.m'.*'k'"),
        (["class C:\n    def m(self): return k", "k = 1"], "k = 2\ny = C().m()", r"'C' leads to"),
        (["import functools\n@functools.lru_cache\ndef f(): return k", "k = 1"], "k = 2\ny = f()", r"'f' leads to"),
        (["def f(): return k\nfs = [f]", "k = 1"], "k = 2\ny = fs[0]()", r"'fs' leads to"),
        (["class O: pass\no = O()\no.deep = {'a': [lambda: k]}", "k = 1"], "k = 2\ny = o.deep", r"'o' leads to"),
        (["def f(): return k\ndef g(): return fs[0]()\nfs = [f]", "k = 1"], "k = 2\ny = g()", r"'fs' leads to"),
        (
            [("def outer():\n    def a(): return k\n    def b():\n        nonlocal a\n        a = 1\n        return a\n    "
             "return a, b\na, b = outer()"), "k = 1"],
            "k = 2\ny = b()",
            "binds 'a'",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_rebound_is_told_before_anything_runs(cells: list[str], text: str, words: str) -> None:
    user_ns = a_notebook(*cells)
    sink = ListSink()

    with pytest.raises(NeedsRealNamespace, match=words):
        run_private(a_cell(f"print(1)\n{text}"), values={}, user_ns=user_ns, sink=sink)

    assert sink.told == []


def test_objects_whose_methods_read_nothing_that_differs_are_no_obstacle() -> None:
    user_ns = a_notebook("class C:\n    def m(self): return n\nn = 1\ncs = [C()]")

    assert run_of("k = 2\ny = cs[0].m()", user_ns).bound["y"] == 1
