"""Values by content: equal ones have one fingerprint, others have others, and what cannot be told is refused."""

from __future__ import annotations

import collections
import datetime as dt
import functools
import io
import logging
import re
import threading
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from written_functions import module_of

from notebook_flows.core.context import context
from notebook_flows.fingerprints import Fingerprints, Unhashable, fingerprint, register
from notebook_flows.fingerprints.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    a: int
    b: int


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: int) -> None:
        self.a = a


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Own:
    def __init__(self, told: int, untold: int) -> None:
        self.told, self.untold = told, untold

    def __fingerprint__(self) -> int:
        return self.told

    def __reduce__(self) -> Any:
        raise TypeError


class Leaving:
    """Its pickles leave something out that its methods use."""

    def __init__(self, told: int, untold: int) -> None:
        self.told, self.untold = told, untold

    def __getstate__(self) -> dict[str, int]:
        return {"told": self.told}


class More(Pair):
    pass


def made(name: str, source: str, module: str) -> Any:
    """What a library has made of a text, as templates of functions are."""
    names: dict[str, Any] = {"__name__": module}
    exec(source, names)
    return names[name]


def more(value: int) -> More:
    found = More(1, 2)
    found.more = value  # type: ignore[attr-defined] # a field that its class does not tell
    return found


def local_class(rate: float) -> type:
    class Local:
        def __init__(self) -> None:
            self.rate = rate

    return Local


def frame(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, np.nan, 1.5]}
    return pd.DataFrame({**columns, **changes})


SAME: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "a slice of an array and its copy": (lambda: np.arange(10)[::2], lambda: np.array([0, 2, 4, 6, 8])),
    "orders of an array in memory": (lambda: np.ones((2, 3), order="F"), lambda: np.ones((2, 3))),
    "what lies under a mask": (
        lambda: np.ma.array([1, 2], mask=[False, True]),
        lambda: np.ma.array([1, 9], mask=[False, True]),
    ),
    "chunks of an Arrow column": (lambda: pa.chunked_array([[1, 2], [3]]), lambda: pa.chunked_array([[1, 2, 3]])),
    "a slice of an Arrow table": (
        lambda: pa.table({"s": ["a", "b", None, "d"]}).slice(1, 2),
        lambda: pa.table({"s": ["b", None]}),
    ),
    "a slice of a polars frame": (lambda: pl.DataFrame({"a": [1, 2, 3]})[1:], lambda: pl.DataFrame({"a": [2, 3]})),
    "a column by way of another frame": (lambda: frame(), lambda: frame().copy(deep=True)),
    "a filtered frame and the same one made anew": (
        lambda: pd.DataFrame({"a": [1, 2, 3]})[lambda f: f.a > 1],
        lambda: pd.DataFrame({"a": [2, 3]}, index=pd.RangeIndex(1, 3)),
    ),
    "equal objects": (lambda: Point(1, 2), lambda: Point(1, 2)),
    "attributes in another order": (lambda: Plain(a=1, b=2), lambda: Plain(b=2, a=1)),
    "loggers of one name": (lambda: logging.getLogger("a"), lambda: logging.getLogger("a")),
    "locks": (threading.Lock, threading.Lock),
    "what a class tells of itself": (lambda: Own(1, 2), lambda: Own(1, 3)),
    "patterns": (lambda: re.compile("a+"), lambda: re.compile("a+")),
}

DIFFERENT: dict[str, list[Callable[[], Any]]] = {
    "numbers": [lambda: 1, lambda: 1.0, lambda: True, lambda: "1", lambda: b"1", lambda: np.int64(1), lambda: 1 + 0j],
    "nothing": [lambda: None, list, tuple, dict, set, lambda: "", lambda: b"", frozenset],
    "zeros": [lambda: 0.0, lambda: -0.0],
    "nested": [
        lambda: [[1], 2],
        lambda: [[1, 2]],
        lambda: [1, [2]],
        lambda: [1, 2],
        lambda: (1, 2),
        lambda: Pair(1, 2),
    ],
    "split text": [lambda: ["ab", "c"], lambda: ["a", "bc"], lambda: ["abc"]],
    "long split text": [lambda: ["ab", "c"] * 20, lambda: ["a", "bc"] * 20, lambda: ["a", "bc"] * 19 + ["", "abc"]],
    "long lists": [lambda: [1] * 50, lambda: [1.0] * 50, lambda: [True] * 50, lambda: ["1"] * 50, lambda: (1,) * 50],
    "gaps": [lambda: [None, "a"] * 20, lambda: ["a", None] * 20, lambda: ["a", ""] * 20],
    "large numbers": [lambda: [1 << 64] * 20, lambda: [1 << 65] * 20, lambda: [-(1 << 64)] * 20],
    "dicts": [
        lambda: {"a": 1},
        lambda: collections.OrderedDict(a=1),
        lambda: collections.Counter(a=1),
        lambda: collections.defaultdict(int, a=1),
    ],
    "times": [
        lambda: dt.datetime(2026, 1, 1),  # noqa: DTZ001 - one without a zone is what is tested
        lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        lambda: dt.date(2026, 1, 1),
        lambda: pd.Timestamp(2026, 1, 1),
        lambda: np.datetime64("2026-01-01"),
    ],
    "arrays": [
        lambda: np.zeros(4),
        lambda: np.zeros((2, 2)),
        lambda: np.zeros(4, dtype="f4"),
        lambda: np.zeros(4, dtype="i8"),
        lambda: np.zeros(4, dtype=object),
        lambda: [0.0] * 4,
    ],
    "frames": [
        frame,
        lambda: frame(a=[1, 2, 4]),
        lambda: frame(a=[1.0, 2.0, 3.0]),
        lambda: frame(b=["x", "y", "z"]),
        lambda: frame(d=1),
        lambda: frame().rename(columns={"a": "z"}),
        lambda: frame().iloc[::-1],
        lambda: frame().set_index("a"),
        lambda: frame().rename_axis("i"),
        lambda: frame(b=pd.Categorical(["x", None, "z"])),
        lambda: frame(b=pd.Categorical(["x", None, "z"], categories=["z", "x"])),
        lambda: pl.DataFrame({"a": [1, 2, 3]}),
        lambda: pa.table({"a": [1, 2, 3]}),
    ],
    "arrow": [
        lambda: pa.array([1, None]),
        lambda: pa.array([1, 0]),
        lambda: pa.array([None, 1]),
        lambda: pa.array([[1], [2, 3]]),
        lambda: pa.array([[1, 2], [3]]),
        lambda: pa.array([[], None]),
        lambda: pa.array([None, []], type=pa.list_(pa.null())),
        lambda: pa.array(["a", "b"]),
        lambda: pa.array(["a", "b"]).dictionary_encode(),
        lambda: pa.array([{"a": 1}, {"a": None}]),
        lambda: pa.array([{"a": 1}, None]),
    ],
    "arrow truth": [
        lambda: pa.array([True, False]),
        lambda: pa.array([False, True]),
        lambda: pa.array([True, None]),
        lambda: pa.array([None, True]),
    ],
    "truth in frames": [
        lambda: pl.DataFrame({"a": [True, False]}),
        lambda: pl.DataFrame({"a": [True, None]}),
        lambda: pl.DataFrame({"a": [[True], [None]]}),
        lambda: pa.table({"a": [True, None]}),
        lambda: pd.DataFrame({"a": pd.array([True, None], dtype="bool[pyarrow]")}),
        lambda: pd.DataFrame({"a": pd.array([True, None], dtype="boolean")}),
    ],
    "what pickles leave out": [lambda: Leaving(1, 2), lambda: Leaving(1, 3)],
    "attributes beside fields": [lambda: more(1), lambda: more(2)],
    "functions that say that they are a library's": [
        lambda: made("f", "def f(x): return x + 1", "numpy"),
        lambda: made("f", "def f(x): return x + 2", "numpy"),
        lambda: made("f", "def f(x): return x + 4", "builtins"),
        lambda: made("f", "def f(x): return x + 3", "builtins"),
    ],
    "classes that are made by a call": [
        lambda: make_dataclass("Made", [("a", int, 1)]),
        lambda: make_dataclass("Made", [("a", int, 2)]),
        lambda: make_dataclass("Made", [("a", int, field(default=1, repr=False))]),
        lambda: make_dataclass("Made", [("a", int, field(default=1, hash=False))]),
        lambda: make_dataclass("Made", [("a", int, field(default=1, metadata={"unit": "m"}))]),
        lambda: make_dataclass("Made", [("a", int, field(default=1, metadata={"unit": "s"}))]),
    ],
    "types of own classes": [
        lambda: list[local_class(1)],  # type: ignore[misc] # a class made by a call
        lambda: list[local_class(2)],  # type: ignore[misc] # a class made by a call
        lambda: local_class(1) | None,
        lambda: local_class(2) | None,
    ],
    "errors": [
        lambda: OSError(2, "x", "a"),
        lambda: OSError(2, "x", "b"),
        lambda: ImportError("x", name="a"),
        lambda: ImportError("x", name="b"),
    ],
    "objects": [lambda: Point(1), lambda: Point(2), lambda: Plain(x=1, y=0), lambda: Slotted(1), lambda: Slotted(2)],
    "functions": [lambda: len, lambda: sum, lambda: functools.partial(max, 1), lambda: functools.partial(max, 2)],
    "lambdas of one line": [
        lambda: (lambda x: x + 1, lambda x: x + 2)[0],
        lambda: (lambda x: x + 1, lambda x: x + 2)[1],
    ],
    "random": [lambda: np.random.default_rng(1), lambda: np.random.default_rng(2)],
    "types": [lambda: int, lambda: Point, lambda: list[int], lambda: int | None],
}


@pytest.mark.parametrize("case", SAME)
def test_equal_content_has_one_fingerprint(case: str) -> None:
    one, other = SAME[case]

    assert fingerprint(one()) == fingerprint(other())


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_has_another_fingerprint(case: str) -> None:
    prints = [fingerprint(make()) for make in DIFFERENT[case]]

    assert len(set(prints)) == len(prints)
    assert prints == [fingerprint(make()) for make in DIFFERENT[case]]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a generator": (lambda: (x for x in ()), "give a list"),
    "an iterator": (lambda: iter([1]), "give a list"),
    "an open file": (lambda: io.StringIO("text"), "give its path"),
    "deep inside": (
        lambda: {"a": [1, threading.Thread()]},
        "['a'], element 1: a 'threading.Thread' is a running thread",
    ),
    "a way of its own": (lambda: Own.__new__(type("Odd", (), {"__reduce__": lambda _: ""})), "__fingerprint__"),
    "a subclass of a frame": (lambda: type("MyFrame", (pd.DataFrame,), {})({"a": [1]}), "__fingerprint__"),
    "a ufunc of a function": (lambda: np.frompyfunc(lambda x: x + 1, 1, 1), "use np.vectorize"),
    "a lazy query": (lambda: pl.LazyFrame({"a": [1]}), "collect()"),
    "the context": (lambda: context, "another one in each run"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_is_refused_with_the_reason(case: str) -> None:
    make, reason = REFUSED[case]
    if case == "a way of its own":
        make = type("Odd", (), {"__reduce__": lambda _: ""})

    with pytest.raises(Unhashable, match=re.escape(reason)):
        fingerprint(make())


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(Unhashable, match="too deeply"):
        fingerprint(deep)


def test_what_holds_itself_has_a_fingerprint() -> None:
    ring: list[Any] = [1]
    ring.append(ring)

    assert fingerprint(ring) != fingerprint([1, [1]])


def test_a_type_can_be_told_of() -> None:
    class Odd:
        def __init__(self, n: int) -> None:
            self.n = n

        def __reduce__(self) -> Any:
            raise TypeError

    register(Odd, lambda odd: odd.n)

    assert fingerprint(Odd(1)) == fingerprint(Odd(1))
    assert fingerprint(Odd(1)) != fingerprint(Odd(2))


def test_a_function_that_reads_what_cannot_be_told_says_which_and_where(tmp_path: Path) -> None:
    module = module_of(
        tmp_path,
        """
        import sqlite3

        connection = sqlite3.connect(":memory:")

        def load():
            return connection.execute("SELECT 1").fetchall()

        def f(x):
            return load()
        """,
    )

    with pytest.raises(Unhashable, match=r"'load', which 'f' uses, 'connection', which 'load' uses: .*Connection"):
        fingerprint(module.f)
    module.connection.close()


def test_functions_that_call_each_other_have_fingerprints(tmp_path: Path) -> None:
    source = """
        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            return n != 0 and even(n - 1)
    """
    one, other = module_of(tmp_path, source), module_of(tmp_path, source.replace("n != 0", "n > 0"))

    assert fingerprint(one.even) != fingerprint(one.odd)
    assert fingerprint(one.even) != fingerprint(other.even)


def test_a_function_without_text_goes_by_its_bytecode() -> None:
    made: dict[str, Any] = {}
    for name, text in (("a", "x + 1"), ("b", "x + 1"), ("c", "x + 2")):
        exec(f"def {name}(x): return {text}", made)

    assert fingerprint(made["a"]) == fingerprint(made["b"])
    assert fingerprint(made["a"]) != fingerprint(made["c"])


def test_text_that_was_edited_after_loading_is_not_taken_for_the_code_that_runs(tmp_path: Path) -> None:
    module = module_of(tmp_path, "def f(x):\n    return x + 1\n")

    (tmp_path / f"{module.__name__}.py").write_text("def f(x):\n    return x + 2\n")
    edited = module_of(tmp_path, "def f(x):\n    return x + 2\n")

    assert fingerprint(module.f) != fingerprint(edited.f)


def test_a_task_that_takes_the_context_has_no_code_fingerprint() -> None:
    from notebook_flows import task

    @task
    def f(context):
        return context

    with pytest.raises(Unhashable, match="Parameter"):
        Fingerprints().of_code(f)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.sets(st.integers())
    ),
    max_leaves=30,
)


@given(PLAIN, PLAIN)
def test_plain_values_have_one_fingerprint_if_and_only_if_they_are_written_alike(one: Any, other: Any) -> None:
    def told(value: Any) -> Any:
        return repr(sorted(value)) + "set" if isinstance(value, set) else repr(value)

    is_same = told(one) == told(other)

    if not any("{" in told(value) for value in (one, other)) or is_same:
        assert (fingerprint(one) == fingerprint(other)) is is_same


class Friend:
    def __init__(self) -> None:
        self.friends: list[Friend] = []


def test_objects_that_all_refer_to_one_another_are_refused_and_not_followed_for_ever() -> None:
    crowd = [Friend() for _ in range(30)]
    for one in crowd:
        one.friends = list(crowd)

    with pytest.raises(Unhashable, match=r"^a '\S+' and what is in it refer to one another in too many ways"):
        fingerprint(crowd)


def test_lists_of_the_same_lists_are_refused_where_they_would_never_end() -> None:
    tower: list[Any] = []
    for _ in range(60):
        tower = [tower, tower]

    with pytest.raises(Unhashable, match="in too many ways"):
        fingerprint(tower)


def test_one_object_in_many_places_is_no_tangle() -> None:
    alone = Friend()

    assert fingerprint([alone] * 10_000) == fingerprint([Friend() for _ in range(10_000)])


def test_a_drawing_is_refused_at_once() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()

    for drawing in (figure, axes, axes.plot([1, 2])):
        with pytest.raises(Unhashable, match="a drawing, which holds all that is drawn on it"):
            fingerprint(drawing)


@given(st.integers() | st.floats() | st.text() | st.booleans() | st.none())
def test_a_plain_value_by_itself_is_written_as_inside_of_another(value: float | str | None) -> None:
    walk = Walk()

    walk.value(value)

    assert fingerprint(value) == walk.digest()
