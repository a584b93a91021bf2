"""Keeps the results of tasks, in whatever thread or process they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import StoreError
from notebook_flows.fingerprints import fingerprint
from notebook_flows.notebook.redaction import Redactor

if TYPE_CHECKING:
    from notebook_flows.store.keeping import ResultStore

STORED = "stored "
"""Begins the fingerprint of a value whose content cannot be told: then it is this one recorded result, and no other."""

_NO_SECRETS = Redactor(())


class HoldsSecret(StoreError):  # noqa: N818 - the sentence that people read
    """A result in which the value of a secret is."""

    def __str__(self) -> str:
        return "The value of a secret is in it."


@dataclass(frozen=True, slots=True)
class Keeper:
    """Fits `engine.ports.ResultKeeper`.

    It pickles, without the secrets: none of them leaves this process.

    Attributes:
        store: where results go.
        tasks: the numbers of the tasks whose results are kept.
        redactor: knows the secrets of the run; what has one in it is not kept.
    """

    store: ResultStore
    tasks: frozenset[int]
    redactor: Redactor = _NO_SECRETS

    def __reduce__(self) -> tuple[Any, ...]:
        return Keeper, (self.store, self.tasks)

    def keep(self, task_key: int, value: Any) -> dict[str, Any] | None:
        """Keep the result of a task."""
        if task_key not in self.tasks:
            return None
        try:
            kept = self.store.keep(value, may_keep=self._check if self.redactor else None)
        except StoreError as error:  # the task has succeeded all the same
            return {"why": str(error)}
        try:
            content = fingerprint(value)
        except Exception:  # Unhashable; and what a value of the user's own raises when it is looked at
            content = f"{STORED}{kept.reference['sha256']}"
        return {"result": {**kept.reference, "content": content}, "inline": kept.inline}

    def _check(self, content: bytes) -> None:
        if self.redactor.is_in(content):
            raise HoldsSecret
