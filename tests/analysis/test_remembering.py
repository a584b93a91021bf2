"""Calls that a cell above has made already are not walked through again, and nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st
from notebooks import connected

from notebook_flows.analysis import Reason
from notebook_flows.analysis.remembering import Remembering
from notebook_flows.analysis.walking import Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.analysis import Connections, Links
    from notebook_flows.analysis.heap import Frame
    from notebook_flows.analysis.program import Block

MANY = 200
BODIES = (
    "return {g}() + 1",
    "return {g}",
    "return rows",
    "return len(rows)",
    "return {g}() or {h}()",
    "return [{g}()]",
    "rows.append({g}())",
    "return np.sqrt({g}())",
    "return np.random.rand() + {g}()",
    "print({g}())",
    "open('a.txt').read()",
    "global n; n = {g}()",
    "raise {g}()",
    "raise ValueError",
    "return {g}.note",
    "return {g}({h})",
    "return lambda: {h}()",
    "return n",
    "yield {g}()",
    "try:\n        {g}()\n    except ValueError as error:\n        return error",
    "import numpy as np\n    return np.ones(n)",
)
LINES = (
    "def {f}():\n    {body}",
    "def {f}(x=rows):\n    {body}",
    "def {f}(x=1):\n    {body}",
    "a = {f}()",
    "{f}()",
    "a = [{f}(), {g}()]",
    "{f} = {g}",
    "{f}.note = rows",
    "{f}.note = 1",
    "rows = {f}()",
    "n = {f}()",
    "del {f}",
    "if n:\n    {f} = {g}",
    "for _ in range(3):\n    n = {f}()\n    {g} = {f}",
    "rows.append(a)",
    "map({f}, rows)",
    "import numpy as np",
    "np.seterr({f}())",
    "try:\n    {f}()\nexcept ValueError as error:\n    a = error",
)
NAMES = st.sampled_from(["f", "g", "h"])


@st.composite
def _line(draw: st.DrawFn) -> str:
    names = {"f": draw(NAMES), "g": draw(NAMES), "h": draw(NAMES)}
    body = draw(st.sampled_from(BODIES)).format(**names)
    return draw(st.sampled_from(LINES)).format(**names, body=body)


CELLS = st.lists(st.tuples(st.booleans(), st.lists(_line(), min_size=1, max_size=3)), max_size=8)


def _shape(found: Connections) -> list[Any]:
    edges = [{(e.upstream_key, e.downstream_key, e.name, e.kind) for e in es} for es in (found.order, found.dataflow)]
    unresolved = [(one.key, one.name) for one in found.unresolved]
    return [dict(found.cells), *edges, unresolved, found.unseen, set(found.late)]


@settings(deadline=None, max_examples=300)
@given(CELLS)
def test_what_is_found_is_the_same_as_by_walking_through_every_call(cells: list[tuple[bool, list[str]]]) -> None:
    start = ["import numpy as np\nrows = [1]\nn = 1", "def f(): return 1\ndef g(): return f()\ndef h(): return n"]
    sources = ["\n".join([f"%%task t{n}", *lines] if task else lines) for n, (task, lines) in enumerate(cells)]

    found = connected(*start, *sources)

    assert _shape(found) == _shape(_by_walking(*start, *sources))


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (
            ["def f(): return 1", "%%task t1\ndef g():\n    return f.note\ng()", "%%task t2\nf.note = rows"],
            lambda last: last.shares == {"a": {"f"}},
        ),
        (["%%task t1\ndef g():\n    np.flag = 1\ng()"], lambda last: "np" in last.mutates),
        (["%%task t1\ndef g():\n    global n\n    n = 2\ng()"], lambda last: "n" in last.outputs),
        (["%%task t1\ndef g():\n    global n\n    del n\ng()"], lambda last: "n" in last.deletes),
        (["%%task t1\ndef g():\n    np.save('a.npy', 1)\ng()"], lambda last: last.files),
        (["%%task t1\ndef g():\n    eval(n)\ng()"], lambda last: last.alone),
        (
            ["def k(): return n", "%%task t1\ndef f():\n    g()\n    return k()\ndef g():\n    return f()\nf()"],
            lambda last: last.inputs.keys() >= {"f", "g", "k", "n"},
        ),
        (["%%task t1\ndef g():\n    return np.random.rand()\ng()"], lambda last: last.hidden_state == {"random"}),
    ],
    ids=["notes on functions", "libraries", "globals", "deletes", "files", "eval", "recursion", "chance"],
)
def test_a_call_like_one_above_does_again_what_that_did(sources: list[str], told: Callable[[Links], object]) -> None:
    sources = ["import numpy as np\nrows = [1]\nn = 1", *sources, "%%task last\na = [g()]"]

    found = connected(*sources)

    assert told(found.cells["last"])
    assert _shape(found) == _shape(_by_walking(*sources))


def _by_walking(*sources: str) -> Connections:
    with patch.object(Remembering, "told_again", lambda _self, _number: None):
        return connected(*sources)


def test_a_chain_of_functions_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    through: list[str] = []
    in_frame = Walk.in_frame

    def noted(self: Walk, frame: Frame, block: Block) -> None:
        through.append(self.calls[-1])
        in_frame(self, frame, block)

    monkeypatch.setattr(Walk, "in_frame", noted)
    cells = [f"%%task t{n}\ndef f{n}():\n    return f{n - 1}() + 1\na{n} = f{n}()" for n in range(1, MANY)]

    found = connected("def f0():\n    return 0", *cells)

    each_by_itself = [f"f{n}" for n in range(1, MANY)]
    assert through == [*each_by_itself, "f1", "f0", *each_by_itself[1:]]
    assert found.unseen == ()
    last = found.cells[f"t{MANY - 1}"]
    assert not last.alone
    assert last.inputs == {f"f{n}": (f"t{n}" if n else "c0",) for n in range(MANY - 1)}


def test_a_function_that_was_bound_anew_is_what_is_called() -> None:
    found = connected(
        "rows = []",
        "def low():\n    return 1",
        "%%task one\ndef high():\n    return low()\na = high()",
        "%%task two\nb = high()",
        "%%task low2\ndef low():\n    rows.append(1)",
        "%%task three\nc = high()",
    )

    assert found.cells["two"].inputs == {"high": ("one",), "low": ("c1",)}
    assert found.cells["three"].inputs == {"high": ("one",), "low": ("low2",), "rows": ("c0",)}
    assert found.cells["three"].mutates == {"rows"}


def test_what_a_function_does_outside_of_names_is_told_each_time() -> None:
    found = connected(
        "import numpy as np",
        "def luck():\n    return np.random.rand()",
        "%%task one\na = luck()",
        "%%task two\nb = luck()",
    )

    assert found.cells["one"].hidden_state == found.cells["two"].hidden_state == {"random"}
    assert {(e.upstream_key, e.downstream_key) for e in found.order if e.kind is Reason.HIDDEN} == {("one", "two")}


@pytest.mark.parametrize(
    "functions",
    [
        "def g():\n    yield g()",
        "def g():\n    yield h()\ndef h():\n    yield g()",
        "def g():\n    yield (x for x in g())",
        "def g():\n    for x in g():\n        yield [g(), x]",
    ],
)
def test_generators_that_make_one_another_are_gone_through_a_few_times(
    functions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    through: list[str] = []
    in_frame = Walk.in_frame

    def noted(self: Walk, frame: Frame, block: Block) -> None:
        through.append(self.calls[-1] if self.calls else "")
        in_frame(self, frame, block)

    monkeypatch.setattr(Walk, "in_frame", noted)

    found = connected(
        "rows = []", functions, "%%task one\nall = [*g()]", "%%task two\nfor x in g():\n    rows.append(x)"
    )

    assert len(through) < MANY
    assert found.cells["two"].mutates >= {"rows"}
