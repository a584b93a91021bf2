"""Whatever order the edges allow gives what document order gives, in notebooks of one nasty trick each."""

from __future__ import annotations

import random

import pytest
from any_order import AnyOrder, in_document_order, shape_of
from nasty import NASTY, cells

ORDERS = 12


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_a_nasty_notebook_gives_what_document_order_gives(text: str) -> None:
    notebook = cells(text)
    expected = shape_of(in_document_order(notebook), with_functions=False)

    choices = [min, max, *(random.Random(seed).choice for seed in range(ORDERS))]
    found = [(run := AnyOrder(notebook, choose), shape_of(run.run(), with_functions=False)) for choose in choices]

    assert {str(run.order): shape for run, shape in found if shape != expected} == {}
