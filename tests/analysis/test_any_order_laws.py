"""The edges suffice: whatever order they allow gives what document order gives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from any_order import AnyOrder, in_document_order, shape_of
from hypothesis import HealthCheck, assume, given, note, settings, strategies as st
from programs import NOTEBOOK

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMES = float(os.environ.get("NOTEBOOK_FLOWS_EXAMPLES", "1"))


@settings(
    max_examples=max(1, round(300 * _TIMES)),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(notebook=NOTEBOOK, data=st.data())
def test_any_order_that_the_edges_allow_gives_what_document_order_gives(
    notebook: Sequence[tuple[str, bool]], data: st.DataObject
) -> None:
    try:
        expected = shape_of(in_document_order(notebook))
    except Exception:
        assume(False)
    run = AnyOrder(notebook, lambda ready: data.draw(st.sampled_from(ready)))
    note("\n---\n".join(f"{'task' if is_task else 'cell'}: {source}" for source, is_task in notebook[1:]))

    found = shape_of(run.run())

    note(f"order: {run.order}")
    assert found == expected
