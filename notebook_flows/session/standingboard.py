"""Between how tasks stand, as pictures have it, and the board from which pages are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S
from notebook_flows.views.diagram import MOST_CHILDREN
from notebook_flows.views.standing import Standing
from notebook_flows.views.table import counts_of
from notebook_flows.widget.board import Board

if TYPE_CHECKING:
    from notebook_flows.views.standing import Standings


def standing_board(size: int, standings: Standings) -> Board:
    """Where tasks stand of which no events are known."""
    board = Board(size)
    for (task, index), one in standings.items():
        if index == UNMAPPED and task < size:
            if one.children:
                board.expand(task, sum(one.children.values()))
                states = [state for state, count in one.children.items() for _ in range(count)]
                board.state[-len(states) :] = states
            board.state[task] = one.state if one.state is not None else S.PENDING
            if one.message:
                board.messages[task] = one.message
    for (task, index), one in standings.items():
        number = board.number_of(task, index)
        if index != UNMAPPED and number is not None and one.state is not None:
            board.state[number] = one.state
    return board


def standings_on(board: Board) -> Standings:
    """How tasks stand there, and the children of those that have few."""
    found: dict[tuple[int, int], Standing] = {}
    for task in range(board.size):
        first, width = board.children.get(task, (0, 0))
        inside = range(first, first + width)
        counts = counts_of(board.state[number] for number in inside)
        titles = tuple(title for one in (task, *inside) for title in board.attached.get(one, {}).values())
        found[task, UNMAPPED] = Standing(board.state[task], counts, board.messages.get(task), titles)
        for index, number in enumerate(inside if width <= MOST_CHILDREN else ()):
            said, attached = board.messages.get(number), tuple(board.attached.get(number, {}).values())
            found[task, index] = Standing(board.state[number], message=said, attached=attached)
    return found
