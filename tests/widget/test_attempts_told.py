"""What is told of a task's attempt that has failed ends with it: no error stands beside a task that goes on, or has ended well."""

from __future__ import annotations

import pytest

from notebook_flows.core.events import UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.widget.board import Board
from notebook_flows.widget.detail import standing

TRIED = {"error": "ValueError", "message": "ValueError: row 7", "traceback": "line 1"}


def happened(board: Board, *states: S, failure: S | None = None, kind: Kind = Kind.TASK) -> None:
    """A task comes into these states, one event each; one of them says why."""
    for state in states:
        data = TRIED if state is failure else None
        board.take([Event(board.seq + 1, board.seq + 1, kind, 0, UNMAPPED, 1, 1, state, data)])


@pytest.mark.parametrize("later", [(S.RUNNING,), (S.QUEUED,), (S.RUNNING, S.SUCCESS)])
def test_the_traceback_of_an_attempt_is_not_told_with_the_next_one(later: tuple[S, ...]) -> None:
    board = Board(1)
    happened(board, S.RUNNING, S.RETRYING, failure=S.RETRYING)
    before = standing(board, 0, UNMAPPED)

    happened(board, *later)

    told = standing(board, 0, UNMAPPED)
    assert before["traceback"] == "line 1"
    assert "traceback" not in told
    assert "message" not in told
    assert told["attempts"][0]["message"] == "ValueError: row 7"


def test_what_is_tried_again_after_it_had_ended_has_no_error_from_then_on() -> None:
    board = Board(1)
    happened(board, S.RUNNING, S.FAILED, failure=S.FAILED)
    before = standing(board, 0, UNMAPPED)

    happened(board, S.PENDING, kind=Kind.REOPENED)
    reopened = standing(board, 0, UNMAPPED)
    happened(board, S.RUNNING, S.SUCCESS)

    assert before["traceback"] == "line 1"
    for told in (reopened, standing(board, 0, UNMAPPED)):
        assert told.keys() & {"traceback", "message"} == set()
