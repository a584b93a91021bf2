"""The picture of a run that goes on shows what runs now, also when nothing more happens for long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from notebook_flows import Flow, task
from notebook_flows.session.livepicture import LivePicture
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.views import picture as picture_module
from notebook_flows.views.layout import laid_out

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from notebook_flows.core.state import State

PATIENCE_S = 20


class Screen(RecordingSink):
    """Keeps the text of each picture, and tells who waits for one."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.pictures: list[str] = []
        self._changed = threading.Condition()

    def display(self, data: Any, metadata: Any, transient: Any) -> None:
        self.update(data, metadata, transient)

    def update(self, data: Any, metadata: Any, transient: Any) -> None:
        with self._changed:
            self.texts.append(data["text/plain"])
            self.pictures.append(data["text/html"])
            self._changed.notify_all()

    def waits_for(self, *words: str) -> bool:
        """Whether a picture with all these words comes."""
        with self._changed:
            return self._changed.wait_for(lambda: all(word in self.texts[-1] for word in words), PATIENCE_S)


def run_shown_on(screen: Screen, work: Callable[[], None]) -> State:
    """A run, from its picture's beginning to its end, of a flow with one task, which does this."""

    @task
    def one() -> None:
        work()

    with Flow("one") as flow:
        one()
    picture = LivePicture(flow, screen)
    picture.begin()
    state = flow.run(observers=[picture], history=False)
    picture.finish(state)
    return state


def test_a_task_that_runs_for_long_is_shown_as_running() -> None:
    screen = Screen()

    @task
    def quick() -> int:
        return 1

    @task
    def long(_: int) -> bool:
        return screen.waits_for("1 running", "1 success")  # nothing happens meanwhile that could have it drawn

    with Flow("two") as flow:
        is_seen = long(quick())
    picture = LivePicture(flow, screen)
    picture.begin()

    state = flow.run(executor="threads:2", observers=[picture], history=False)
    picture.finish(state)

    assert state.result[is_seen].result is True
    assert "2 pending" in screen.texts[0]
    assert "2 success" in screen.texts[-1]


def test_nothing_is_drawn_after_the_end() -> None:
    screen = Screen()

    run_shown_on(screen, lambda: None)
    drawn = len(screen.texts)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(PATIENCE_S)

    assert len(screen.texts) == drawn
    assert "1 success" in screen.texts[-1]


def test_no_run_waits_for_graphviz_and_the_picture_of_its_end_comes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, opened, asked = Screen(), threading.Event(), []

    def late(source: str) -> str:
        asked.append(source)
        assert opened.wait(PATIENCE_S)
        return laid_out(source)

    monkeypatch.setattr(picture_module, "laid_out", late)

    def work() -> None:
        assert screen.waits_for("1 running")
        opened.set()

    state = run_shown_on(screen, work)

    assert state.is_successful()
    assert "1 success" in screen.texts[-1]
    assert "<img" in screen.pictures[-1]
    assert len(asked) == 1


def test_a_run_that_was_stopped_before_its_picture_began_ends() -> None:
    screen = Screen()
    picture = LivePicture(Flow("never"), screen)

    picture.finish(None)

    assert screen.texts == []
