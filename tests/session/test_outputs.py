"""A sink keeps the outputs of a task as a notebook shows them: joined, updated, cleared, and bounded."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from notebook_flows.notebook import streams
from notebook_flows.session import kept
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.routing import current_sink, diverted, install, routed, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def texts(sink: RecordingSink) -> list[tuple[str, str]]:
    return [(one["name"], one["text"]) for one in sink.outputs if one["output_type"] == "stream"]


def test_text_of_one_stream_is_one_output_until_something_comes_between() -> None:
    sink = RecordingSink()
    for name, text in (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c\n"), ("stdout", "d\n")):
        sink.stream(name, text)
    sink.display({"text/plain": "x"}, {}, {})
    sink.stream("stdout", "e\n")

    kinds = [(one["output_type"], one.get("text")) for one in sink.outputs]

    assert kinds == [
        ("stream", "ab\n"),
        ("stream", "c\n"),
        ("stream", "d\n"),
        ("display_data", None),
        ("stream", "e\n"),
    ]


def test_all_kinds_are_in_the_notebook_format() -> None:
    import nbformat

    sink = RecordingSink(execution_count=7)
    sink.stream("stdout", "text\n")
    sink.display({"image/png": b"\x89PNG"}, {"image/png": {"width": 1}}, {"display_id": "me"})
    sink.result({"text/plain": "1"}, {})
    sink.error("ValueError", "no", ["line"])

    cell = nbformat.v4.new_code_cell("x", outputs=sink.outputs)

    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    assert sink.outputs[1]["data"] == {"image/png": "iVBORw=="}
    assert sink.outputs[2]["execution_count"] == 7


def test_what_a_carriage_return_overwrites_is_not_kept() -> None:
    sink = RecordingSink()
    for n in range(5):
        sink.stream("stderr", f"\r{n * 25} %")

    assert texts(sink) == [("stderr", "100 %")]

    sink.stream("stderr", "\rdone\n")
    sink.end()

    assert texts(sink) == [("stderr", "done\n")]


def test_clearing_takes_all_away_at_once_or_with_the_next_output() -> None:
    sink = RecordingSink()
    sink.stream("stdout", "first\n")
    sink.clear(wait=True)
    assert texts(sink) == [("stdout", "first\n")]

    sink.stream("stdout", "second\n")

    assert texts(sink) == [("stdout", "second\n")]

    sink.clear(wait=False)

    assert sink.outputs == []


def test_an_update_reaches_every_sink_that_shows_the_id_and_adds_nothing() -> None:
    one, two, three = RecordingSink(), RecordingSink(), RecordingSink()
    one.display({"text/plain": "old"}, {}, {"display_id": "a"})
    two.display({"text/plain": "old"}, {}, {"display_id": "a"})

    three.update({"text/plain": "new"}, {}, {"display_id": "a"})
    three.update({"text/plain": "lost"}, {}, {"display_id": "of nobody"})

    assert [sink.outputs[0]["data"] for sink in (one, two)] == [{"text/plain": "new"}] * 2
    assert three.outputs == []


def test_outputs_that_were_handed_out_do_not_change_any_more() -> None:
    sink = RecordingSink()
    sink.stream("stdout", "a")
    before = sink.outputs

    sink.stream("stdout", "b")

    assert before[0]["text"] == "a"


def test_what_a_finaliser_prints_in_the_midst_of_it_stops_nothing() -> None:
    class Interrupted(RecordingSink):
        def _publish_text(self, name: str, text: str) -> None:
            if text == "outer\n":
                self.stream("stderr", "of a finaliser\n")

    sink = Interrupted()

    sink.stream("stdout", "outer\n")

    assert texts(sink) == [("stdout", "outer\n"), ("stderr", "of a finaliser\n")]


def test_too_much_text_is_cut_with_its_end_shown_and_all_of_it_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(streams, "TEXT_LIMIT", 100)
    sink = RecordingSink(file=tmp_path / "all.txt")
    for n in range(1_000):
        sink.stream("stdout", f"{n}\n")
    sink.end()
    sink.end()

    [(_, text)] = texts(sink)

    assert (tmp_path / "all.txt").read_text() == "".join(f"{n}\n" for n in range(1_000))
    assert text.startswith("0\n1\n")
    assert text.count("all of it is in all.txt") == 1
    assert text.endswith("999\n")


def test_too_many_displays_are_cut_with_one_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "DISPLAY_LIMIT", 3)
    sink = RecordingSink()

    for n in range(10):
        sink.display({"text/plain": str(n)}, {}, {})
    sink.error("ValueError", "still told", [])

    assert [one["output_type"] for one in sink.outputs] == ["display_data"] * 3 + ["stream", "error"]
    assert "more than 3 outputs" in texts(sink)[0][1]


def test_too_large_displays_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "DISPLAY_BYTES", 100)
    sink = RecordingSink()

    for _ in range(3):
        sink.display({"text/html": "x" * 60}, {}, {})

    assert [one["output_type"] for one in sink.outputs] == ["display_data", "stream"]


TEXTS = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\n", max_size=3)), max_size=20)


@given(TEXTS)
def test_nothing_is_lost_and_nothing_changes_its_place(pieces: list[tuple[str, str]]) -> None:
    sink = RecordingSink()

    for name, text in pieces:
        sink.stream(name, text)

    assert "".join(text for _, text in texts(sink)) == "".join(text for _, text in pieces)
    assert all(first != second for (first, _), (second, _) in zip(texts(sink), texts(sink)[1:], strict=False))


# -- a terminal's Python, without a kernel ------------------------------------------------------------------------------


@contextlib.contextmanager
def task(sink: RecordingSink) -> Iterator[None]:
    """A task's run; installed here, since pytest changes the streams between a fixture and its test."""
    install(None)
    try:
        with routed(sink):
            yield
    finally:
        uninstall(None)


def test_text_goes_to_the_sink_inside_and_to_the_terminal_outside(capsys: pytest.CaptureFixture[str]) -> None:
    sink = RecordingSink()
    print("before")

    with task(sink):
        print("inside")
        print("inside too", file=sys.stderr)
        assert current_sink() is sink
    print("after")

    assert texts(sink) == [("stdout", "inside\n"), ("stderr", "inside too\n")]
    assert current_sink() is None
    assert capsys.readouterr() == ("before\nafter\n", "")


def test_a_terminals_streams_and_handlers_give_tasks_their_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sink = RecordingSink()
    with (tmp_path / "terminal").open("w+") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        handler = logging.StreamHandler()
        install(None)
        try:
            print("outside", file=sys.stderr)
            with routed(sink):
                print("inside", file=sys.stderr)
                handler.emit(logging.makeLogRecord({"msg": "logged"}))
            assert sys.stderr.fileno() == terminal.fileno()
        finally:
            uninstall(None)
        assert sys.stderr is handler.stream is terminal
        terminal.seek(0)
        seen = terminal.read()

    assert seen == "outside\n"
    assert texts(sink) == [("stderr", "inside\nlogged\n")]


def test_what_is_caught_inside_a_task_is_not_its_output() -> None:
    outer, inner = RecordingSink(), RecordingSink()

    with task(outer):
        print("a")
        with diverted(inner):
            print("b")
        print("c")

    assert texts(outer) == [("stdout", "a\nc\n")]
    assert texts(inner) == [("stdout", "b\n")]


def test_only_text_can_be_written() -> None:
    with task(RecordingSink()), pytest.raises(TypeError, match="must be str, not int"):
        sys.stdout.write(1)  # type: ignore[arg-type]


def test_tqdm_draws_in_the_cell_of_its_task() -> None:
    tqdm: Any = pytest.importorskip("tqdm")
    sink = RecordingSink()

    with task(sink):
        for _ in tqdm.tqdm(range(3), mininterval=0):
            pass

    [(name, text)] = texts(sink)
    assert name == "stderr"
    assert text.startswith("100%")
    assert text.count("%") == 1


def test_rich_prints_in_the_cell_of_its_task() -> None:
    from rich.console import Console

    sink = RecordingSink()
    with task(sink):
        Console(force_terminal=False, width=20).print("[bold]rich[/bold]")

    assert texts(sink) == [("stdout", "rich\n")]


def test_many_threads_of_many_tasks_mix_nothing() -> None:
    sinks = [RecordingSink() for _ in range(8)]
    barrier = threading.Barrier(8)

    def run(number: int) -> None:
        with routed(sinks[number]):
            barrier.wait(30)
            threads = [threading.Thread(target=lambda: [print(number) for _ in range(100)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    with contextlib.ExitStack() as stack:
        install(None)
        stack.callback(uninstall, None)
        for number in range(8):
            thread = threading.Thread(target=run, args=(number,))
            thread.start()
            stack.callback(thread.join)

    for number, sink in enumerate(sinks):
        assert "".join(text for _, text in texts(sink)).replace("\n", "") == str(number) * 400
