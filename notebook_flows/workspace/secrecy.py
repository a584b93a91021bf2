"""Keeps the values of a run's secrets out of its history: out of messages, tracebacks and log lines, and of kept results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.secret import Secret
from notebook_flows.notebook.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.engine.call import LogLine
    from notebook_flows.engine.ports import KeptContent, Observer, Request, RunLog


def secrets_of(flow: Flow, parameters: Mapping[str, Any]) -> Redactor:
    """Knows the secrets of a run: parameters, their defaults, and those that are written into the flow.

    Args:
        flow: that runs.
        parameters: all of the run.
    """
    written = (value for constants in flow.constants.values() for value in constants.values())
    return Redactor(one.get() for one in (*parameters.values(), *written) if isinstance(one, Secret))


class MaskedLog:
    """Fits `engine.ports.RunLog`: what it is told goes on to another log without the values of secrets.

    Args:
        log: the history of the run.
        redactor: knows the secrets.
    """

    def __init__(self, log: RunLog, redactor: Redactor) -> None:
        self._log = log
        self._redactor = redactor

    def append(self, events: Sequence[Event]) -> None:
        """Take events over."""
        self._log.append([masked_event(one, self._redactor) for one in events])

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Take log lines over."""
        self._log.add_log_lines([one._replace(message=self._redactor.text(one.message)) for one in lines])

    def keep(self, contents: Sequence[KeptContent]) -> None:
        """Take contents over; `Keeper` has looked into them."""
        self._log.keep(contents)

    def may_start(self) -> bool:
        """Whether new tasks may start."""
        return self._log.may_start()

    def flush(self) -> None:
        """Return when everything is committed."""
        self._log.flush()

    def requests(self, *, at_once: bool = False) -> Sequence[Request]:
        """What other processes have asked."""
        return self._log.requests(at_once=at_once)

    def close(self, patience_s: float | None = None) -> None:
        """Flush, and give the ownership up."""
        self._log.close(patience_s)


def masked_observer(observer: Observer, redactor: Redactor) -> Observer:
    """One that is told of the same events without the values of secrets."""

    def tell(run: Run, events: Sequence[Event]) -> None:
        observer(run, [masked_event(one, redactor) for one in events])

    return tell


def masked_event(event: Event, redactor: Redactor) -> Event:
    """The event without the values of secrets: in its texts, and in the reason why a result was not kept.

    Numbers stay, and so do references to results: they would not be found by other ones.
    """
    data = event.data
    if not data:
        return event
    clean = {name: _masked(name, value, redactor.text) for name, value in data.items()}
    return event._replace(data=clean)


def _masked(name: str, value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return text(value)
    if name == "result" and isinstance(value, dict) and "why" in value:
        return {**value, "why": text(str(value["why"]))}
    return value
