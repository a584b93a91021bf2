"""What a run of a notebook's cells leaves to later runs: results under the key of what flowed in, and of what they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.engine.ports import KeptContent
from notebook_flows.workspace.reuse import finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.engine.ports import KnownResults, RunLog, Taken

MADE = "made "
"""Begins the keys under which results are found again by what they were made of, not by what flowed in."""


class CellReuse:
    """Fits `engine.ports.Reuse`, for flows of cells.

    Args:
        run_id: of this run.
        slugs: of the n tasks.
        log: of this run; takes contents over.
        known: of earlier runs; closed at the end.
        used: told, at the end, which keys were of use.
        find: gives the result that makes it needless to run a task, which is about to start.
        begins_again: told of a task that is tried again.
        has_result: told the fingerprint of what a task has made, once it is kept.
    """

    def __init__(
        self,
        *,
        run_id: str,
        slugs: Sequence[str],
        log: RunLog,
        known: KnownResults,
        used: Callable[[Sequence[str]], Any],
        find: Callable[[int], Taken | None] = lambda _node: None,
        begins_again: Callable[[int], Any] = lambda _node: None,
        has_result: Callable[[int, str], None] = lambda _node, _content: None,
    ) -> None:
        self.looks_at = frozenset(range(len(slugs)))
        self.was_used: list[str] = []
        self._run_id = run_id
        self._slugs = slugs
        self._log = log
        self._known = known
        self._tell_used = used
        self._find = find
        self._begins_again = begins_again
        self._has_result = has_result

    def find(self, number: int, node: int, index: int) -> Taken | None:
        """A result that makes it needless to run this cell, which is about to start; None: run it."""
        del number, index  # cells are not mapped
        return self._find(node)

    def begins_again(self, number: int, node: int, index: int) -> None:
        """It is tried again."""
        del number, index
        self._begins_again(node)

    def ended(self, number: int, node: int, index: int, kept: Mapping[str, Any], took_us: int) -> Mapping[str, Any]:
        """It has run, and its result was kept, or not.

        Beside what `engine.ports.Reuse` says, ``kept`` may have ``key``, under which runs with the same inputs find the
        result, and ``made``, under which those find it that go on with this notebook in another kernel; of ordinary
        cells (``is_ordinary``) nobody finds anything, but who goes on with this very run.
        """
        del number
        result = kept.get("result")
        told = {name: kept[name] for name in ("key", "made") if kept.get(name)}
        if result is None:
            content = {"content": kept["content"]} if kept.get("content") else {}
            return {"why": str(kept.get("why", "")), **content, **told}
        found = finding(self._run_id, self._slugs[node], index, took_us, result)
        contents = [
            KeptContent(result["sha256"], kept.get("inline"), prefix + told[name], found)
            for name, prefix in (("key", ""), ("made", MADE))
            if name in told and not kept.get("is_ordinary")
        ]
        self._log.keep(contents or [KeptContent(result["sha256"], kept.get("inline"))])
        self._has_result(node, result["content"])
        return {**result, **told}

    def skipped(self, number: int, node: int) -> None:
        """Cells do not skip themselves."""

    def close(self) -> None:
        """The run has ended."""
        self._known.close()
        if self.was_used:
            self._tell_used(self.was_used)
