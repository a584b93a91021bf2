"""Values that are kept come back the very same, are verified, and are unpickled only by who may."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from notebook_flows.errors import StoreError
from notebook_flows.fingerprints import fingerprint
from notebook_flows.store.blob_folder import BlobFolder
from notebook_flows.store.blobs import BlobDamaged, NoSuchBlob
from notebook_flows.store.formats import CannotBeKept, Encoded, WouldUnpickle, decode, encode
from notebook_flows.store.keeping import MOST_INLINE, ResultStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(BlobFolder(tmp_path / "blobs"))


FORMATS: dict[str, list[Callable[[], Any]]] = {
    "json": [lambda: None, lambda: [1, {"a": [True, 2.5, "é"]}], lambda: 10**30, lambda: ""],
    "npy": [
        lambda: np.arange(6).reshape(2, 3),
        lambda: np.asfortranarray(np.ones((2, 3))),
        lambda: np.array(["a", "bc"]),
        lambda: np.array(5.0),
        lambda: np.array(["2026"], dtype="M8[D]"),
    ],
    "pandas": [
        lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan]}),
        lambda: pd.DataFrame({"t": pd.date_range("2026", periods=2, tz="UTC")}, index=pd.Index(["r", "s"], name="i")),
        lambda: pd.DataFrame({"c": pd.Categorical(["x", "y"]), "i": pd.array([1, None], dtype="Int64")}),
        lambda: pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    ],
    "arrow": [lambda: pa.table({"a": [1, None], "l": [[1], []]})],
    "polars": [lambda: pl.DataFrame({"a": [1, None], "s": ["x", "y"]})],
    "cloudpickle": [
        lambda: (1, 2),
        lambda: {1: 2},
        lambda: float("nan"),
        lambda: {1, 2},
        lambda: dt.date(2026, 1, 1),
        lambda: "\ud800",
        lambda: np.array([1, "a"], dtype=object),
        lambda: np.float64(1),
        lambda: pd.Series([1, 2]),
        lambda: pd.DataFrame({"a": [[1], [2]]}),
        lambda: pd.DataFrame({"a": [1]}, index=pd.date_range("2026", periods=1, freq="D")),
        lambda: pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}),
        lambda: pd.DataFrame({"a": pd.Series([dt.date(2026, 1, 1)], dtype=object)}),
    ],
}
CASES = [(form, number) for form, makes in FORMATS.items() for number in range(len(makes))]


@pytest.mark.parametrize(("form", "number"), CASES)
def test_a_value_comes_back_the_very_same(form: str, number: int) -> None:
    value = FORMATS[form][number]()

    encoded = encode(value)

    assert encoded.format == form
    assert type(decode(encoded)) is type(value)
    assert fingerprint(decode(encoded)) == fingerprint(value)


def test_a_function_comes_back() -> None:
    n = 2

    assert decode(encode(lambda x: x + n))(1) == 3


def test_attributes_of_a_frame_are_kept() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "here"

    assert decode(encode(frame)).attrs == {"source": "here"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(JSON)
def test_any_plain_value_comes_back(value: Any) -> None:
    assert fingerprint(decode(encode(value))) == fingerprint(value)


def test_only_who_may_unpickles() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (exec, ("raise SystemExit('code ran')",))

    with pytest.raises(WouldUnpickle):
        decode(encode(Bomb()), may_unpickle=False)
    assert decode(encode([1]), may_unpickle=False) == [1]


def test_an_array_of_objects_is_never_read_as_an_array() -> None:
    import io

    out = io.BytesIO()
    np.save(out, np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(StoreError, match="does not load"):
        decode(Encoded("npy", out.getvalue()), may_unpickle=False)


def test_what_cannot_be_pickled_says_so(store: ResultStore) -> None:
    with pytest.raises(CannotBeKept, match="'generator' cannot be pickled"):
        store.keep(x for x in ())


def test_an_unknown_format_is_told() -> None:
    with pytest.raises(StoreError, match="'cbor'"):
        decode(Encoded("cbor", b""))


def test_small_values_go_with_the_history_and_large_ones_to_the_blobs(store: ResultStore) -> None:
    small, large = store.keep("x" * (MOST_INLINE - 2)), store.keep("x" * (MOST_INLINE - 1))

    assert (small.reference["in"], len(small.inline or b"")) == ("history", MOST_INLINE)
    assert (large.reference["in"], large.inline) == ("blobs", None)
    assert store.load(small.reference, small.inline) == "x" * (MOST_INLINE - 2)
    assert store.load(large.reference) == "x" * (MOST_INLINE - 1)


def test_what_is_damaged_is_never_taken_for_a_value(store: ResultStore, tmp_path: Path) -> None:
    kept = store.keep(list(range(50_000)))
    path = next(path for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    content = path.read_bytes()

    told_of = {
        content[:-1]: f"{len(content) - 1:,} bytes, of {len(content):,}",
        content + b" ": f"{len(content) + 1:,} bytes, of {len(content):,}",
        content.replace(b"49", b"94", 1): "its bytes are not those that were written",
        b"": "0 bytes, of ",
    }
    for damaged, told in told_of.items():
        path.write_bytes(damaged)
        with pytest.raises(BlobDamaged, match=f"is damaged: {told}.*runs again"):
            store.load(kept.reference)


def test_what_is_damaged_goes_once_somebody_wanted_to_read_it_so_that_it_is_made_again(
    store: ResultStore, tmp_path: Path
) -> None:
    value = list(range(50_000))
    kept = store.keep(value)
    path = next(path for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes().replace(b"49", b"94", 1))
    assert store.has(kept.reference)

    with pytest.raises(BlobDamaged):
        store.load(kept.reference)

    assert not store.has(kept.reference)
    assert store.load(store.keep(value).reference) == value


def test_what_a_disk_gives_damaged_only_once_stays(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.keep(list(range(50_000)))
    read, answers = store.blobs.get, [b"a bad day"]
    monkeypatch.setattr(store.blobs, "get", lambda name: answers.pop() if answers else read(name))

    assert store.load(kept.reference) == list(range(50_000))


def test_what_is_gone_is_told(store: ResultStore) -> None:
    large, small = store.keep(list(range(50_000))), store.keep(1)
    store.blobs.remove(large.reference["sha256"])

    for kept in (large, small):
        with pytest.raises(NoSuchBlob):
            store.load(kept.reference)


def test_a_store_travels_to_other_processes(store: ResultStore) -> None:
    kept = store.keep(list(range(50_000)))

    assert pickle.loads(pickle.dumps(store)).load(kept.reference) == list(range(50_000))
