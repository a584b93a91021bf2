"""What a task can look up about the attempt that is made of it: `notebook_flows.context`, and an argument ``context``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.engine.call import Call

UNKNOWN = NotImplemented


class Attempt:
    """What is running here: what `notebook_flows.context`, and an argument named ``context``, look things up in.

    Attributes:
        call: what was asked for.
        printed: catches what it prints, while ``log_stdout`` is on.
    """

    __slots__ = ("call", "printed")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.printed: Any = None

    @property
    def run_id(self) -> str:
        """Of the run that it belongs to."""
        return self.call.facts.run_id

    def context_value(self, key: str) -> Any:
        """The value of one key, or ``NotImplemented``."""
        call = self.call
        make = _OWN_KEYS.get(key)
        if make is not None:
            return make(call)
        if call.context is not None and key in call.context:
            return call.context[key]
        return call.facts.context.get(key, UNKNOWN)

    def context_keys(self) -> dict[str, Any]:
        """All keys with their values."""
        own = {key: value for key, make in _OWN_KEYS.items() if (value := make(self.call)) is not UNKNOWN}
        return {**self.call.facts.context, **(self.call.context or {}), **own}


class TaskContext:
    """What a task function gets as its argument named ``context``: the keys of `notebook_flows.context`, as they were
    when the task began, so that they hold in threads of its own too.

    >>> TaskContext({"flow_name": "etl"}).flow_name
    'etl'
    """

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = dict(keys)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        try:
            return self._keys[key]
        except KeyError:
            raise AttributeError(f"The context has no {key!r}; it has: {', '.join(sorted(self._keys))}.") from None

    def __getitem__(self, key: str) -> Any:
        return self._keys[key]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one key, or the default."""
        return self._keys.get(key, default)

    def to_dict(self) -> dict[str, Any]:
        """All keys, as a dict of its own."""
        return dict(self._keys)

    def __repr__(self) -> str:
        return f"<TaskContext: {', '.join(sorted(self._keys))}>"


def task_logger(_: Call | None = None) -> Any:
    """The logger whose lines are kept with the run."""
    from notebook_flows.engine.logs import TASK_LOGGER

    return logging.getLogger(TASK_LOGGER)


def _full_name(call: Call) -> str:
    return call.task.name if call.index < 0 else f"{call.task.name}[{call.index}]"


_OWN_KEYS: dict[str, Any] = {
    "task_name": lambda call: call.task.name,
    "task_full_name": _full_name,
    "task_tags": lambda call: set(call.task.tags),
    "task_run_count": lambda call: call.attempt,
    "attempt": lambda call: call.attempt,
    "map_index": lambda call: call.index if call.index >= 0 else None,
    "task_loop_count": lambda call: call.loop,
    "upstream_states": lambda call: UNKNOWN if call.upstream_states is None else call.upstream_states,
    "logger": task_logger,
}
