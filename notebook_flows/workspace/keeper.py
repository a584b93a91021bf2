"""Keeps the results of tasks, in whatever thread or process they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import StoreError
from notebook_flows.fingerprints import fingerprint

if TYPE_CHECKING:
    from notebook_flows.store.keeping import ResultStore

STORED = "stored "
"""Begins the fingerprint of a value whose content cannot be told: then it is this one recorded result, and no other."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Fits `engine.ports.ResultKeeper`.

    Attributes:
        store: where results go.
        tasks: the numbers of the tasks whose results are kept.
    """

    store: ResultStore
    tasks: frozenset[int]

    def keep(self, task_key: int, value: Any) -> dict[str, Any] | None:
        """Keep the result of a task."""
        if task_key not in self.tasks:
            return None
        try:
            kept = self.store.keep(value)
        except StoreError as error:  # the task has succeeded all the same
            return {"why": str(error)}
        try:
            content = fingerprint(value)
        except Exception:  # Unhashable; and what a value of the user's own raises when it is looked at
            content = f"{STORED}{kept.reference['sha256']}"
        return {"result": {**kept.reference, "content": content}, "inline": kept.inline}
