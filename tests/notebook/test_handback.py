"""Values that a notebook hands back, and scrapbook's."""

from __future__ import annotations

import base64
import json
from typing import Any

import nbformat
import pandas as pd
import pytest

from notebook_flows.core.secret import Secret
from notebook_flows.notebook import handback
from notebook_flows.notebook.handback import HandbackError, NoValue, bundle_of, return_value, values_in


def notebook_of(*bundles: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    """As it is when it was saved and read again."""
    outputs = [nbformat.v4.new_output("display_data", data=data, metadata=metadata) for data, metadata in bundles]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)])
    return nbformat.reads(nbformat.writes(notebook), 4)


@pytest.mark.parametrize(
    ("value", "encoder"),
    [
        (3, "json"),
        (None, "json"),
        ({"a": [1.5, True, "é"]}, "json"),
        ("text", "text"),
        ("[1]", "text"),
        ((1, 2), handback.OUR_PICKLE),
        ({1: 2}, handback.OUR_PICKLE),
        (float("inf"), handback.OUR_PICKLE),
        (b"bytes", handback.OUR_PICKLE),
        ({"a": {1, 2}}, handback.OUR_PICKLE),
    ],
)
def test_a_value_comes_back_as_it_was(value: Any, encoder: str) -> None:
    bundle = bundle_of("x", value)

    found = values_in(notebook_of(bundle), "it", unpickles=True)

    [(kind, payload)] = bundle[0].items()
    assert payload["encoder"] == encoder
    is_for_scrapbook = encoder != handback.OUR_PICKLE  # which fails on encoders that it does not know
    assert (kind == f"application/scrapbook.scrap.{encoder}+json") == is_for_scrapbook
    assert bundle[1] == ({"scrapbook": {"name": "x", "data": True, "display": False}} if is_for_scrapbook else {})
    assert (type(found["x"]), found["x"]) == (type(value), value)


@pytest.mark.parametrize(
    ("table", "encoder"),
    [
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), "pandas"),
        (pd.DataFrame({0: [1], 1: [object]}), handback.OUR_PICKLE),
    ],
)
def test_a_table_comes_back_by_parquet_where_that_keeps_it(table: pd.DataFrame, encoder: str) -> None:
    bundle = bundle_of("t", table)

    found = values_in(notebook_of(bundle), "it", unpickles=True)

    assert next(iter(bundle[0].values()))["encoder"] == encoder
    pd.testing.assert_frame_equal(found["t"], table)


def test_what_scrapbook_and_papermill_have_written_is_read() -> None:
    glued = {"application/scrapbook.scrap.json+json": {"name": "n", "data": [1], "encoder": "json", "version": 1}}
    recorded = {"application/papermill.record+json": {"old": 2}}
    shown = {"text/plain": "3"}

    found = values_in(notebook_of((glued, {}), (recorded, {}), (shown, {})), "it")

    assert dict(found) == {"n": [1], "old": 2}


def test_the_last_value_of_a_name_counts() -> None:
    found = values_in(notebook_of(bundle_of("x", 1), bundle_of("y", 2), bundle_of("x", 3)), "it")

    assert list(found.items()) == [("y", 2), ("x", 3)]


def test_a_missing_value_is_told_with_the_likely_name() -> None:
    found = values_in(notebook_of(bundle_of("rows", 1)), "Notebook 'a.ipynb'")

    with pytest.raises(NoValue, match="Notebook 'a.ipynb' has handed back no value 'row'. Did you mean 'rows'"):
        found["row"]


def test_a_pickle_in_a_notebook_of_somebody_else_is_not_loaded() -> None:
    data = base64.b64encode(b"cos\nsystem\n(S'false'\ntR.").decode()
    payload = {"name": "x", "data": data, "encoder": handback.OUR_PICKLE, "version": 1}
    bundle = ({handback.OURS: payload}, {})

    with pytest.raises(HandbackError, match="only read right after the notebook has run"):
        values_in(notebook_of(bundle), "it")["x"]


@pytest.mark.parametrize(
    ("encoder", "data", "words"),
    [("pandas", "no parquet", "The value 'x' of it cannot be read"), ("rot13", "k", "knows the encoder 'rot13'")],
)
def test_what_cannot_be_read_is_told_when_it_is_asked_for(encoder: str, data: str, words: str) -> None:
    payload = {"name": "x", "data": data, "encoder": encoder, "version": 1}
    found = values_in(notebook_of(({f"application/scrapbook.scrap.{encoder}+json": payload}, {})), "it")

    with pytest.raises(HandbackError, match=words):
        found["x"]


def test_what_cannot_be_handed_back_is_told() -> None:
    with pytest.raises(HandbackError, match="The value 'x', a Secret, cannot be handed back"):
        bundle_of("x", Secret("hush"))


def test_too_large_a_value_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handback, "LARGEST_BYTES", 10)

    with pytest.raises(HandbackError, match="Write it to a file"):
        bundle_of("x", "a" * 11)


def test_outside_of_a_notebook_nothing_can_be_handed_back() -> None:
    with pytest.raises(HandbackError, match="there is none here"):
        return_value(1)
    with pytest.raises(HandbackError, match="without a value"):
        return_value()


def test_several_values_want_names() -> None:
    with pytest.raises(HandbackError, match=r"called with 2 values without names.*return_value\(rows=10, total=3\)"):
        return_value(10, 3)


def test_json_is_written_as_json() -> None:
    data, _ = bundle_of("x", {"a": 1})

    assert json.loads(json.dumps(data))["application/scrapbook.scrap.json+json"]["data"] == {"a": 1}
