"""What a kernel publishes becomes the outputs of the cell that it belongs to; what it answers, the cell's ending."""

from __future__ import annotations

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook import outputs
from notebook_flows.notebook.document import Document
from notebook_flows.notebook.endings import Judged, Stopped, answered, died, too_late, unanswered
from notebook_flows.notebook.outputs import CellOutputs, OutputClient

CELL = Judged(number=2, path="n.ipynb")
TAGGED = Judged(number=2, path="n.ipynb", may_raise=True)
GROUP = "Traceback...\nExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n  ValueError: x\n"


def error(name: str, value: str = "", **more: Any) -> dict[str, Any]:
    return {"status": "error", "ename": name, "evalue": value, "traceback": ["\x1b[31mhere\x1b[0m"], **more}


@pytest.mark.parametrize(
    ("cell", "reply", "has_error", "state", "message", "ends"),
    [
        (CELL, {"status": "ok"}, False, S.SUCCESS, "", False),
        (CELL, {"status": "ok", "payload": [{"source": "ask_exit"}]}, False, S.SUCCESS, "", True),
        (CELL, error("SystemExit", "0"), True, S.SUCCESS, "It ended the notebook.", True),
        (CELL, error("SystemExit", ""), True, S.SUCCESS, "It ended the notebook.", True),
        (CELL, error("SystemExit", "3"), True, S.FAILED, "Cell 2 failed: sys.exit(3)", False),
        (CELL, error("KeyError", "'a'\nmore"), True, S.FAILED, "Cell 2 failed: KeyError: 'a'", False),
        (CELL, error("StopIteration"), True, S.FAILED, "Cell 2 failed: StopIteration", False),
        (TAGGED, error("KeyError", "'a'"), True, S.SUCCESS, "It raised KeyError, as it may.", False),
        (CELL, {"status": "aborted"}, False, S.FAILED, "Cell 2 was not run: its kernel aborted it.", False),
        (
            CELL,
            error("NameError", "of an earlier cell"),
            False,
            S.FAILED,
            "Cell 2 failed: ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
            False,
        ),
    ],
)
def test_an_answer_is_judged(cell: Judged, reply: Any, has_error: bool, state: S, message: str, ends: bool) -> None:
    ending = answered(cell, reply, has_error=has_error, stderr=GROUP)

    assert (ending.state, ending.message, ending.ends_notebook) == (state, message, ends)


def test_a_failure_keeps_its_traceback_without_colours() -> None:
    ending = answered(CELL, error("KeyError", "'a'"), has_error=True, stderr="")

    assert ending.details == {"error": "KeyError", "traceback": "here"}
    assert ending.log == "here"


def test_a_magic_that_is_not_found_is_told_with_the_likely_slip() -> None:
    ending = answered(
        CELL, error("UsageError", ""), has_error=False, stderr="UsageError: Cell magic `%%Task` not found.\n"
    )

    sentence = "Cell magic `%%Task` not found. Did you mean '%%task'?"
    assert ending.message == f"Cell 2 failed: UsageError: {sentence}"
    assert ending.adds_error == ("UsageError", sentence)


def test_what_is_not_answered_is_told_as_far_as_it_is_known() -> None:
    assert unanswered(CELL, "").message.startswith("Cell 2 failed: UntoldError: an exception that the kernel could not")
    assert unanswered(CELL, GROUP).adds_error == ("ExceptionGroup", "unhandled errors in a TaskGroup (1 sub-exception)")
    assert unanswered(TAGGED, GROUP).state is S.SUCCESS
    assert died(CELL, "its process ended with exit code 1", "oh").details["traceback"] == "oh"
    assert (
        too_late(CELL, 2.5, was_stopped=Stopped.INTERRUPTED).message
        == "Cell 2 took longer than its timeout of 2.5 s and was interrupted."
    )


# -- messages ----------------------------------------------------------------------------------------------------------


class Told:
    """Two cells, and a kernel that publishes what the test says."""

    def __init__(self) -> None:
        cells = [new_code_cell("1"), new_code_cell("2")]
        for cell in cells:
            cell.metadata["tags"] = []
        self.document = Document(new_notebook(cells=cells), input_path="", output_path=None, parameters={})
        self.heard: list[Any] = []
        self.idle: list[CellOutputs] = []
        self.client = OutputClient(
            self.document,
            flood_file=lambda _: None,
            on_output=lambda *told: self.heard.append(told),
            on_idle=self.idle.append,
        )
        self.cells = [self.client.begin(place, None) for place in range(2)]
        for place, cell in enumerate(self.cells):
            self.client.expect(cell, str(place))

    def says(self, place: int, kind: str, **content: Any) -> None:
        header = {"msg_type": kind, "msg_id": "x"}
        message = {"header": header, "msg_type": kind, "parent_header": {"msg_id": str(place)}, "content": content}
        self.client.take({**message, "metadata": {}, "buffers": []})

    def prints(self, place: int, text: str) -> None:
        self.says(place, "stream", name="stdout", text=text)

    def shows(self, place: int, text: str, kind: str = "display_data", **transient: str) -> None:
        self.says(place, kind, data={"text/plain": text}, metadata={}, transient=transient)

    def seen(self, place: int) -> list[str]:
        for cell in self.cells:
            cell.streams.settle()
        return [one.get("text") or one.data["text/plain"] for one in self.document.notebook.cells[place].outputs]


def test_late_output_goes_to_the_cell_that_it_comes_from() -> None:
    told = Told()

    told.prints(0, "early\n")
    told.says(0, "status", execution_state="idle")
    told.client.end(told.cells[0])
    told.prints(1, "mine\n")
    told.prints(0, "late\n")

    assert [told.seen(0), told.seen(1)] == [["early\nlate\n"], ["mine\n"]]
    assert told.idle == [told.cells[0]]


def test_displays_are_updated_where_they_are_and_cleared_when_asked() -> None:
    told = Told()

    told.shows(0, "before", display_id="a")
    told.shows(1, "after", kind="update_display_data", display_id="a")
    told.prints(1, "gone")
    told.says(1, "clear_output", wait=True)
    told.prints(1, "one ")
    told.prints(1, "two")

    assert [told.seen(0), told.seen(1)] == [["after"], ["one two"]]


def test_more_displays_than_a_cell_may_have_are_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "DISPLAY_LIMIT", 3)
    told = Told()

    for number in range(5):
        told.shows(0, str(number))

    assert told.seen(0)[:3] == ["0", "1", "2"]
    assert told.seen(0)[3:] == [
        "[notebook_flows: this cell displays more than 3 outputs or 100 MB; the rest is not kept.]\n"
    ]


def test_nothing_changes_once_the_notebook_is_finished_and_nonsense_is_survived() -> None:
    told = Told()
    told.says(0, "no_such_message")
    told.says(0, "stream", name="stdout")
    told.document.is_finished = True

    told.prints(0, "too late")

    assert told.seen(0) == []
