"""What task cells have made comes back as it was: values, classes, changed objects and outputs."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cells_seen import KEY, namespace, seen_by_last
from shelves import Notebook

from notebook_flows.notebook import secrets
from notebook_flows.session.cellresults import NotUsable, kept, look_before, marked, recalled, with_changes
from notebook_flows.session.code import prepare
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.private import run_private
from notebook_flows.store import keeping
from notebook_flows.store.keeping import ResultStore, TooLarge, blobs_at

if TYPE_CHECKING:
    from pathlib import Path

    from notebook_flows.session.values import CellValues


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(blobs_at(tmp_path / "blobs"), most_inline=1_000)


class Ran:
    """The last of some cells, which has run."""

    def __init__(self, *cells: str) -> None:
        record, links, self.sight = seen_by_last(*cells)
        look_before(self.sight, KEY)
        self.sink = RecordingSink()
        code = prepare(record.body, key=record.key, name=record.name)
        self.values: CellValues = run_private(code, values={}, user_ns=self.sight.home, sink=self.sink)
        del links

    def kept(self, store: ResultStore) -> dict[str, Any]:
        return kept(store, self.sight, self.values, self.sink.outputs, KEY)


def test_values_and_outputs_come_back(store: ResultStore) -> None:
    ran = Ran("n = 3", "%%task\nrows = list(range(n))\nsame = rows\nrows")
    said = ran.kept(store)

    values, outputs = recalled(store, said["result"], said["inline"], ran.sight)

    assert values.bound == {"rows": [0, 1, 2], "same": [0, 1, 2]}
    assert values.bound["rows"] is values.bound["same"]
    assert [one["data"]["text/plain"] for one in outputs] == ["[0, 1, 2]"]


def test_the_content_of_a_result_is_that_of_its_values(store: ResultStore) -> None:
    first, second = Ran("n = 3", "%%task\nx = {n, 1}"), Ran("n = 2 + 1", "%%task\nx = {1, n}\nx")

    one, other = first.kept(store)["result"], second.kept(store)["result"]

    assert one["content"] == other["content"]
    assert one["sha256"] != other["sha256"]


def test_objects_are_of_the_classes_that_the_notebook_has(store: ResultStore) -> None:
    setup = "class Config:\n    def __init__(self, n): self.n = n"
    said = Ran(setup, "%%task\nconfig = Config(5)").kept(store)
    sight = seen_by_last(setup, "%%task\nconfig = Config(5)")[2]

    values, _ = recalled(store, said["result"], said["inline"], sight)

    assert type(values.bound["config"]) is sight.home["Config"]
    assert values.bound["config"].n == 5
    assert said["result"]["classes"] == ["Config"]


def test_without_the_class_it_is_told(store: ResultStore) -> None:
    setup = "class Config: pass"
    said = Ran(setup, "%%task\nconfig = Config()").kept(store)
    sight = seen_by_last("x = 1", "%%task\nconfig = x")[2]

    with pytest.raises(NotUsable, match="the notebook has no class 'Config' now"):
        recalled(store, said["result"], said["inline"], sight)


def test_functions_see_the_names_of_the_notebook(store: ResultStore) -> None:
    said = Ran("factor = 2", "%%task\ndef scaled(x):\n    return x * factor").kept(store)
    home = namespace("factor = 10")
    sight = seen_by_last("factor = 10", "%%task\npass", names=home)[2]

    values, _ = recalled(store, said["result"], said["inline"], sight)

    assert values.bound["scaled"](1) == 10


def test_an_object_that_was_changed_in_place_is_changed_in_place_again(store: ResultStore) -> None:
    cells = ("rows = [1]\nheld = {'rows': rows}", "%%task\nrows.append(2)")
    said = Ran(*cells).kept(store)
    sight = seen_by_last(*cells)[2]

    values = with_changes(recalled(store, said["result"], said["inline"], sight).values, sight)

    assert sight.home["held"] == {"rows": [1, 2]}
    assert values.handed_back["rows"] is sight.home["rows"]


def test_an_object_that_might_have_been_changed_and_was_not_is_not_kept(store: ResultStore) -> None:
    said = Ran("rows = [1]\nimport operator", "%%task\noperator.methodcaller('copy')(rows)\nx = 1").kept(store)
    sight = seen_by_last("rows = [1]", "%%task\nx = 1")[2]

    assert recalled(store, said["result"], said["inline"], sight).values.handed_back == {}


def test_what_nobody_reads_and_what_cannot_be_pickled_is_left_out(store: ResultStore) -> None:
    said = Ran("x = 1", "%%task\nlock = __import__('threading').Lock()\ny = x").kept(store)
    sight = seen_by_last("x = 1", "%%task\ny = x")[2]

    assert recalled(store, said["result"], said["inline"], sight).values.bound == {"y": 1}


def test_what_others_read_and_what_cannot_be_pickled_is_told(store: ResultStore) -> None:
    ran = Ran("x = 1", "%%task\nlock = __import__('threading').Lock()")
    needed = ran.sight.__class__(names=ran.sight.names, home=ran.sight.home, needed=frozenset({"lock"}))

    said = kept(store, needed, ran.values, (), KEY)

    assert said["why"].startswith("'lock', a _thread.lock, cannot be pickled (TypeError")


def test_a_result_without_what_another_cell_reads_by_now_is_of_no_use(store: ResultStore) -> None:
    ran = Ran("import threading", "%%task\ny = 1\nz = threading.Lock()")
    said = ran.kept(store)
    sight = dataclasses.replace(ran.sight, needed=frozenset({"z"}))

    with pytest.raises(NotUsable, match="'z', which another cell reads, was not kept"):
        recalled(store, said["result"], said["inline"], sight)


@pytest.mark.parametrize("cell", ["header = 'Bearer ' + token", "f'Bearer {token}'"])
def test_what_holds_the_value_of_a_secret_is_not_kept(
    store: ResultStore, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(secrets._given, "token", "s3cret-value")
    ran = Ran("token = 's3cret-value'", f"%%task\n{cell}")

    said = ran.kept(store)

    assert said == {"why": "the value of a secret is in it."}


def test_a_name_that_a_cell_may_bind_and_has_not_bound_is_not_missed(store: ResultStore) -> None:
    cells = ("a = 1", "%%task\nb = 2\nif b == 3:\n    a = b")
    ran = Ran(*cells)
    said = ran.kept(store)
    sight = dataclasses.replace(ran.sight, needed=frozenset({"a", "b"}))

    values, _ = recalled(store, said["result"], said["inline"], sight)

    assert values.bound == {"b": 2}


def test_large_results_lie_in_the_blobs_and_are_verified(store: ResultStore) -> None:
    ran = Ran("n = 5000", "%%task\ntext = 'x' * n")
    said = ran.kept(store)
    assert said["inline"] is None

    assert recalled(store, said["result"], None, ran.sight).values.bound["text"] == "x" * 5000
    with pytest.raises(NotUsable, match="not in .* any more"):
        recalled(store, {**said["result"], "sha256": "0" * 64}, None, ran.sight)


def test_outputs_that_are_shown_again_say_from_which_run() -> None:
    outputs = [
        {"output_type": "display_data", "data": {}, "metadata": {"a": 1}},
        {"output_type": "stream", "text": "x"},
    ]

    assert [one.get("metadata") for one in marked(outputs, "run")] == [
        {"a": 1, "notebook_flows": {"cached": "run"}},
        None,
    ]


def test_what_is_larger_than_wanted_is_not_kept_and_says_so(tmp_path: Path) -> None:
    notebook, cell = Notebook(tmp_path, most=1_000), "%%task --cache\nx = 'x' * 2_000"

    first = notebook.run(cell)

    assert re.search(r"Task 'x' is not cached: It has 2,\d\d\d bytes, and no more than 1,000 are kept", first.said)
    assert not notebook.run(cell).was_taken
    assert notebook.run("%%task --cache\ny = 1").said == ""


def test_a_cell_that_a_resumed_run_would_need_and_that_is_not_kept_says_so(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, most=1_000)

    ran = notebook.run("%%task\nx = 'x' * 2_000", keeps=True)

    assert ran.said.startswith("What it has made is not kept, so it runs again if a resumed run needs it: It has 2,")
    assert notebook.run("%%task\nx = 'x' * 2_000", keeps=False).said == ""
    assert notebook.run("%%task\ny = 1", keeps=True).said == ""


def test_an_array_that_is_larger_than_wanted_is_not_even_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(blobs_at(tmp_path / "blobs"), most=1_000)
    monkeypatch.setattr(keeping, "encode", lambda _value: pytest.fail("it was written"))

    with pytest.raises(TooLarge, match="It has 8,000 bytes"):
        store.keep(np.zeros(1_000))
