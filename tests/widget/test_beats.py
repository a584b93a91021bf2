"""While a run goes on, pages hear that it does, also where nothing happens in it for long."""

from __future__ import annotations

import json
from queue import Queue
from typing import TYPE_CHECKING, Any

from notebook_flows.widget import teller as module
from notebook_flows.widget.teller import Teller

if TYPE_CHECKING:
    import pytest

PATIENCE_S = 30.0


def test_a_run_in_which_nothing_happens_says_that_it_goes_on_and_which_batch_was_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    told: Queue[dict[str, Any]] = Queue()
    teller = Teller(lambda message: told.put(json.loads(message)))
    teller.is_heard = True

    teller.begin(2, {"id": "r"})

    first, *beats = [told.get(timeout=PATIENCE_S) for _ in range(3)]
    teller.finish()
    assert (first["type"], first["batch"]) == ("snapshot", 1)
    assert beats == [{"type": "beat", "batch": 1}] * 2


def test_a_page_that_was_told_something_a_moment_ago_needs_no_beat() -> None:
    told: list[bytes] = []
    teller = Teller(told.append)
    teller.answer({"type": "ping"})

    teller.beat()

    assert told == [b'{"type":"ping"}']
