"""Results that ``cache_for`` keeps while this process lives, for all runs in it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notebook_flows.core.cache_validators import duration_only
from notebook_flows.core.state import Cached
from notebook_flows.engine.call import unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.task import Task

MOST_KEPT_PER_KEY = 100


class RecentResults:
    """{cache key: results, the newest first}."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Cached]] = {}
        self._lock = threading.Lock()

    def find(self, task: Task, inputs: Mapping[str, Any], parameters: Mapping[str, Any], now_us: int) -> Cached | None:
        """A result that has not expired and that the task's validator accepts, or None."""
        validator = task.cache_validator or duration_only
        loaded = {name: unwrapped(value) for name, value in inputs.items()}
        with self._lock:
            kept = list(self._kept.get(_key(task), ()))
        for cached in kept:
            expires = cached.cached_result_expiration
            fresh = expires is None or expires.timestamp() * 1e6 > now_us
            if fresh and validator(cached, loaded, parameters):
                return cached
        return None

    def keep(
        self, task: Task, value: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any], now_us: int
    ) -> None:
        """Keep a result for as long as its task says."""
        assert task.cache_for is not None
        cached = Cached(
            result=value,
            cached_inputs={name: unwrapped(one) for name, one in inputs.items()},
            cached_parameters=parameters,
            cached_result_expiration=datetime.fromtimestamp(now_us / 1e6, UTC) + task.cache_for,
        )
        with self._lock:
            kept = self._kept.setdefault(_key(task), [])
            kept[:] = [cached, *(c for c in kept if _still_holds(c, now_us))][:MOST_KEPT_PER_KEY]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()


def _still_holds(cached: Cached, now_us: int) -> bool:
    expires = cached.cached_result_expiration
    return expires is None or expires.timestamp() * 1e6 > now_us


def _key(task: Task) -> str:
    return task.cache_key or task.name


RECENT = RecentResults()
