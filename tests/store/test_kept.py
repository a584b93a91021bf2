"""What every history promises of the results that it keeps: in a file, in memory, and on a server."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from store_benches import MemoryBench, PostgresBench, SqliteBench

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.ports import KeptContent, RunInfo
from notebook_flows.engine.reference import Reference, content_of
from notebook_flows.store.blob_folder import BlobFolder
from notebook_flows.store.cleaning import DAY_US, clean, damaged, forget
from notebook_flows.store.encoding import to_json
from notebook_flows.store.keeping import ResultStore
from notebook_flows.store.kept import HITS_BEFORE_AHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "1" * 32


@pytest.fixture(params=["file", "memory", "server"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made: Any
    if request.param == "server":
        made = PostgresBench(tmp_path, request.getfixturevalue("server"))
    else:
        made = SqliteBench(tmp_path) if request.param == "file" else MemoryBench(tmp_path)
    yield made
    made.close()


def kept(content: bytes, key: str | None = None, *, is_inline: bool = True, created_us: int = 1) -> KeptContent:
    name = sha256(content).hexdigest()
    where = "history" if is_inline else "blobs"
    reference = {"format": "json", "size": len(content), "sha256": name, "in": where, "content": "c"}
    found = {"run_id": RUN, "task": "t", "index": -1, "took_us": 5, "created_us": created_us, "reference": reference}
    return KeptContent(name, content if is_inline else None, key, None if key is None else found)


def begun(log: Any) -> Any:
    return log.begin(RunInfo(run_id=RUN, flow_name="f", run_name="r", slugs=["t"], executor="local"))


def event(seq: int, state: S, data: Any = None) -> Event:
    return Event(seq, seq, Kind.TASK if data else Kind.RUN, 0 if data else -1, -1, 1, 1, state, data)


def test_what_is_kept_is_there_when_the_event_that_refers_to_it_is(bench: Any) -> None:
    run_log = begun(bench.log)
    one = kept(b"[1]", "k1")
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([one, kept(b"alone")])
    run_log.append([event(2, S.SUCCESS, {"result": one.found and one.found["reference"]})])
    run_log.flush()

    known = bench.log.known_results()
    found = known.find("k1")

    assert (found.run_id, found.task, found.index, found.took_us, found.inline) == (RUN, "t", -1, 5, b"[1]")
    assert found.reference["sha256"] == one.sha256
    assert known.content(one.sha256) == b"[1]"
    assert known.content(sha256(b"alone").hexdigest()) == b"alone"
    assert known.find("k2") is None
    assert known.content("0" * 64) is None
    known.close()
    run_log.close()


def test_nothing_is_known_where_nothing_was_kept(bench: Any) -> None:
    known = bench.log.known_results()
    assert known.find("k") is None

    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.flush()

    assert known.find("k") is None
    assert known.content("0" * 64) is None
    bench.log.used(["k"])
    known.close()
    run_log.close()


def test_the_last_result_under_a_key_counts(bench: Any) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(b"old", "k")])
    run_log.flush()
    run_log.keep([kept(b"new", "k"), kept(b"new", "k")])
    run_log.flush()

    known = bench.log.known_results()

    assert known.find("k").inline == b"new"
    known.close()
    run_log.close()


def test_what_was_found_says_when_it_was_last_of_use(bench: Any) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(f"{number}".encode(), f"k{number}") for number in range(50)])
    run_log.close()

    known = bench.log.known_results()
    found = [known.find(f"k{number}") for number in range(50)]

    assert [one.key for one in found] == [f"k{number}" for number in range(50)]
    assert [one.inline for one in found] == [f"{number}".encode() for number in range(50)]
    if not isinstance(bench, MemoryBench):  # which ends with its process, and keeps all until then
        assert all(one.used_us > 1_600_000_000_000_000 for one in found)
    known.close()


def test_many_results_are_found_where_the_content_of_none_lies_in_the_history(bench: Any) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    keys = [f"k{number}" for number in range(HITS_BEFORE_AHEAD + 8)]
    run_log.keep([kept(key.encode(), key, is_inline=False) for key in keys])
    run_log.close()
    known = bench.log.known_results()

    found = [known.find(key) for key in keys]

    assert [one.reference["sha256"] for one in found] == [sha256(key.encode()).hexdigest() for key in keys]
    known.close()


@pytest.mark.parametrize("most", [0, 20_000], ids=["looked up", "read one after the other"])
def test_many_small_results_of_a_run_are_read_at_once_with_their_contents(
    bench: Any, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("notebook_flows.store.kept.MOST_CONTENTS", most)
    large = b"l" * 600
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(f"{number // 2}".encode(), f"k{number}") for number in range(100)])
    run_log.keep([kept(large, "large"), kept(b"40", "elsewhere", is_inline=False), kept(b"nobody's")])
    run_log.close()

    known = bench.log.known_results()
    found = [known.find(f"k{number}") for number in range(100)]

    assert [(one.key, one.inline, one.reference["size"]) for one in found] == [
        (f"k{number}", str(number // 2).encode(), len(str(number // 2))) for number in range(100)
    ]
    assert {(one.run_id, one.task, one.index, one.took_us, one.created_us) for one in found} == {(RUN, "t", -1, 5, 1)}
    assert known.find("large").inline == large
    assert known.find("elsewhere").inline is None
    assert known.find("elsewhere").reference["in"] == "blobs"
    assert known.find("k100") is None
    known.close()


@pytest.mark.parametrize(
    "told",
    [
        {"size": 1, "content": "c0ffee"},
        {"size": 1, "content": "stored 12", "format": "json"},
        {"size": 1, "content": 'quo"te'},
        {"size": 1, "content": "back\\slash"},
        {"size": 1, "content": "\u00e9"},
        {"size": 1, "content": None},
        {"content": "first"},
        {"size": 1},
        {"format": ',"content":"no"', "size": 1},
        {"format": ',"content":"no"', "content": "yes"},
        {"inside": {"a": 1, "content": "no"}, "content": "yes"},
        {"inside": {"a": 1, "content": "no"}},
    ],
    ids=str,
)
def test_the_content_of_a_reference_is_told_without_reading_all_of_it(told: dict[str, Any]) -> None:
    text = to_json(told)

    assert content_of(text) == content_of(told) == told.get("content")
    assert dict(Reference(text)) == told


def test_many_contents_are_taken_over(bench: Any) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    for number in range(3_000):
        run_log.keep([kept(f"{number % 100}".encode(), f"k{number}")])
    run_log.close()

    known = bench.log.known_results()

    assert known.find("k2999").inline == b"99"
    assert known.find("k0").inline == b"0"
    known.close()


@pytest.mark.parametrize("bench", ["file", "server"], indirect=True)
def test_cleaning_forgets_what_is_old_or_too_much_and_content_that_nobody_refers_to(bench: Any, tmp_path: Path) -> None:
    run_log = begun(bench.log)
    referred = kept(b"referred")
    reference = {"sha256": referred.sha256, "size": 8, "in": "history", "format": "json"}
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(b"12345", "a"), kept(b"67890", "b"), kept(b"nobody's"), referred])
    run_log.append([event(2, S.SUCCESS, {"result": reference})])
    run_log.flush()
    store = ResultStore(BlobFolder(tmp_path / "blobs"))
    writer, known = bench.log._writer, bench.log.known_results()
    soon_us = known.all()[0].created_us + 10**16

    young = clean(writer, store, now_us=1, keep_days=30, most_bytes=None)
    orphan = clean(writer, store, now_us=soon_us, keep_days=None, most_bytes=None)
    too_much = clean(writer, store, now_us=soon_us, keep_days=None, most_bytes=5)
    old = clean(writer, store, now_us=soon_us + 40 * DAY_US, keep_days=30, most_bytes=None)

    assert young[:2] == (0, 0)
    assert orphan == (0, 1, len(b"nobody's"))
    assert too_much[:2] == (1, 1)
    assert old[:2] == (1, 1)
    assert known.content(referred.sha256) == b"referred"
    known.close()
    run_log.close()


@pytest.mark.parametrize("bench", ["file", "server"], indirect=True)
@pytest.mark.parametrize("wanted", [{"keep_days": 30, "most_bytes": None}, {"keep_days": None, "most_bytes": 0}])
def test_what_a_run_that_goes_on_has_found_stays_until_it_has_ended(bench: Any, wanted: Any, tmp_path: Path) -> None:
    store = ResultStore(BlobFolder(tmp_path / "blobs"))
    large = kept(b"large", "large", is_inline=False)
    store.blobs.put(large.sha256, b"large")
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(b"small", "small"), large, kept(b"nobody's", "other")])
    for place, key in enumerate(["small", "large"]):
        run_log.append([event(2 + place, S.CACHED, {"result": {"cached": key}})._replace(index=place)])
    run_log.flush()
    much_later_us = 10**17

    assert clean(bench.log._writer, store, now_us=much_later_us, **wanted)[:2] == (1, 1)

    known = bench.log.known_results()
    assert known.find("small").inline == b"small"
    assert store.has(known.find("large").reference)
    assert known.find("other") is None

    run_log.append([event(4, S.SUCCESS)])
    run_log.close()
    assert clean(bench.log._writer, store, now_us=much_later_us, **wanted)[:2] == (2, 2)
    assert known.find("small") is None
    known.close()


@pytest.mark.parametrize("bench", ["file", "server"], indirect=True)
def test_keys_are_forgotten_and_damage_is_found(bench: Any, tmp_path: Path) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(b"1", "a"), kept(b"2", "b"), kept(b"gone", "c", is_inline=False)])
    run_log.flush()
    known = bench.log.known_results()

    found = damaged(known, ResultStore(BlobFolder(tmp_path / "blobs")))
    count = forget(bench.log._writer, ["a", "nothing"])

    assert list(found) == ["c"]
    assert "any more" in found["c"]
    assert count == 1
    assert sorted(one.key for one in known.all()) == ["b", "c"]
    known.close()
    run_log.close()


def test_a_history_with_results_is_sound_and_can_be_pruned(bench: Any) -> None:
    run_log = begun(bench.log)
    run_log.append([event(1, S.RUNNING)])
    run_log.keep([kept(b"1", "a")])
    run_log.append([event(2, S.SUCCESS, {"result": {"sha256": "0" * 64}}), event(3, S.SUCCESS)._replace(kind=Kind.RUN)])
    run_log.close()

    assert bench.log.check() == []
    assert bench.log.prune(keep_runs=0) == [RUN]
    known = bench.log.known_results()
    assert known.find("a").inline == b"1"
    known.close()
