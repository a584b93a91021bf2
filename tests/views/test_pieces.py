"""Pictures of flows of many pieces: in rows below each other, so that they can be read."""

import re

import pytest

from notebook_flows import Flow, Task
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.dot import digraph
from notebook_flows.views.layout import laid_out
from notebook_flows.views.pieces import WIDE, is_long_row


def pairs(count):
    """A flow of so many pieces, two tasks each."""
    with Flow("pairs") as flow:
        for number in range(count):
            flow.chain(*(flow.add_task(Task(name=f"{name}_{number}")) for name in ("load", "clean")))
    return flow


def size_of(flow):
    svg = laid_out(digraph(diagram_of(flow), with_room=True).source)
    return tuple(float(side) for side in re.search(r'viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"', svg).groups())


@pytest.mark.parametrize("count", [20, 120])
def test_many_pieces_are_a_block_and_not_one_long_row(count):
    width, height = size_of(pairs(count))

    assert width / height < 6


def test_a_few_pieces_stand_side_by_side():
    width, height = size_of(pairs(4))

    assert width / height > 3


def test_what_hangs_together_is_no_long_row_however_wide():
    star = [(0, end) for end in range(1, 100)]

    assert not is_long_row(100, star)
    assert is_long_row(101, star)  # one node beside it


@pytest.mark.parametrize(("nodes", "arrows"), [(0, []), (1, []), (WIDE, []), (3, [(0, 1), (1, 2), (2, 0)])])
def test_few_nodes_are_no_long_row_be_there_cycles_or_nothing(nodes, arrows):
    assert not is_long_row(nodes, arrows)
