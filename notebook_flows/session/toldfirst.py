"""Between a run's lanes and its engine: outcomes are seen by the run before the engine hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Outcome
    from notebook_flows.engine.ports import Inbox


class ToldFirst:
    """An inbox that lets somebody see each outcome before the engine does; those that were given up never come here."""

    def __init__(self, inbox: Inbox, on_end: Callable[[Task, Outcome], Outcome]) -> None:
        self.tasks: dict[int, Task] = {}
        self._inbox = inbox
        self._on_end = on_end

    def put(self, outcome: Outcome) -> None:
        """Hand one outcome over."""
        self._inbox.put(self._seen(outcome))

    def put_many(self, outcomes: Sequence[Outcome]) -> None:
        """Hand several over at once."""
        self._inbox.put_many([self._seen(one) for one in outcomes])

    def _seen(self, outcome: Outcome) -> Outcome:
        try:
            return self._on_end(self.tasks[outcome.ref], outcome)
        except Exception as error:  # values that do not load here: the cell has failed, for nobody can have them
            return outcome._replace(state=S.FAILED, value=error, message=f"Its values cannot be taken: {error}")

    def wake(self) -> None:
        """Wake the engine."""
        self._inbox.wake()

    def interrupt(self) -> None:
        """Stop the run."""
        self._inbox.interrupt()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)
