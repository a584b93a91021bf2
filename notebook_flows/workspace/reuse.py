"""What a run takes from earlier ones, and what it leaves to others: by key for tasks with ``cache``, by name to resume."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import LogLine, Stored
from notebook_flows.engine.ports import KeptContent, KnownResult, Taken
from notebook_flows.engine.wording import short
from notebook_flows.fingerprints import Unhashable
from notebook_flows.store.kept import USED_EVERY_US
from notebook_flows.workspace.resuming import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import KnownResults, RunLog
    from notebook_flows.store.keeping import ResultStore
    from notebook_flows.workspace.inputs import InputPrints
    from notebook_flows.workspace.resuming import Resumed

_LOGGER = logging.getLogger("notebook_flows.cache")
_new = tuple.__new__  # twice as quick as the class itself
CLOCKS_DIFFER_US = 300_000_000
"""What was made later than that from now was made while some clock was wrong: nobody knows how old it is."""
SHORT_US = 100_000
"""What has saved less is not worth a word; `said_of` says none."""


class Reusing:
    """Fits `engine.ports.Reuse`.

    Args:
        run_id: of this run.
        tasks: the n tasks.
        slugs: of them.
        prints: makes keys.
        log: of this run; takes contents over.
        known: of earlier runs.
        store: loads what they have kept.
        cached: the tasks whose results go from run to run.
        kept: the tasks whose results are kept at all.
        is_fresh: cached tasks run, and are kept anew.
        resumed: the run that this one goes on with.
        used: told, at the end, which keys were of use, but for those of which that is known.
    """

    def __init__(
        self,
        *,
        run_id: str,
        tasks: Sequence[Task],
        slugs: Sequence[str],
        prints: InputPrints,
        log: RunLog,
        known: KnownResults,
        store: ResultStore,
        cached: frozenset[int],
        kept: frozenset[int],
        is_fresh: bool,
        resumed: Resumed | None,
        used: Callable[[Sequence[str]], Any],
    ) -> None:
        self.looks_at = kept
        self._run_id = run_id
        self._tasks = tasks
        self._slugs = slugs
        self._prints = prints
        self._log = log
        self._known = known
        self._store = store
        self._cached = cached
        self._is_fresh = is_fresh
        self._resumed = resumed
        self._tell_used = used
        self._hits = 0
        self._used: list[str] = []
        self._used_before_us = time.time_ns() // 1000 - USED_EVERY_US
        self._said: dict[str, str] = {}
        self._keys: dict[int, str] = {}
        self._told: set[int] = set()
        self._saved_us = 0

    def find(self, number: int, node: int, index: int) -> Taken | None:
        """A result that makes it needless to run this task run."""
        try:
            key = self._prints.key(number, node, index)
        except Exception as error:  # Unhashable; and what a value of the user's own raises when it is looked at
            self._has_no_key(node, error)
            key = None
        if self._resumed is not None:
            taken = self._resumed.find(number, node, index, key)
            if taken is not None:
                self._remember(number, taken.data.get("result"))
                if key is not None and self._tasks[node].state_handlers:  # as below
                    self._keys[number] = key
                return taken
        if key is None:
            self._keys.pop(number, None)
            return None
        if node in self._cached and not self._is_fresh:
            task = self._tasks[node]
            found = self._known.find(key)
            if found is not None and self._still_holds(found, task.cache):
                if task.state_handlers:  # they may have it run all the same
                    self._keys[number] = key
                if self._resumed is not None:
                    self._resumed.ran(number)  # in another run; for those after it that is the same
                    self._remember(number, found.reference)
                return self._taken(found)
        self._keys[number] = key
        return None

    def _taken(self, found: KnownResult) -> Taken:
        """What is on the path of every task of a run in which nothing has changed."""
        key, run_id, _, _, took_us, _, reference, inline, used_us = found
        self._hits += 1
        if used_us < self._used_before_us:
            self._used.append(key)
        self._saved_us += took_us
        said = self._said.get(run_id) if took_us < SHORT_US else said_of(run_id, took_us)
        if said is None:
            said = self._said[run_id] = said_of(run_id, took_us)
        value = Stored(reference, inline, self._store)
        return _new(Taken, (S.CACHED, value, said, {"result": {"cached": key}}))

    def _has_no_key(self, node: int, error: Exception) -> None:
        if node in self._cached and node not in self._told:
            self._told.add(node)
            said = str(error) if isinstance(error, Unhashable) else short(error)
            self._warn(node, f"Task {self._tasks[node].name!r} runs, and is not cached: {said}.")

    def _remember(self, number: int, reference: Any) -> None:
        if reference is not None and "content" in reference:
            self._prints.content[number] = reference["content"]

    def _still_holds(self, found: KnownResult, allowed: Any) -> bool:
        """Whether it is young enough, and its content is where it was put."""
        if allowed is not True and isinstance(allowed, timedelta):
            age_us = time.time_ns() // 1000 - found.created_us
            if not -CLOCKS_DIFFER_US <= age_us <= allowed.total_seconds() * 1e6:
                return False
        if found.inline is not None:
            return True
        return found.reference["in"] != "history" and self._store.has(found.reference)

    def begins_again(self, number: int, node: int, index: int) -> None:
        """It is tried again: it counts as given what it gets now, which an earlier attempt may have changed."""
        if number in self._keys:
            try:
                self._keys[number] = self._prints.key(number, node, index)
            except Exception as error:  # as in `find`
                del self._keys[number]
                self._has_no_key(node, error)

    def ended(self, number: int, node: int, index: int, kept: Mapping[str, Any], took_us: int) -> Mapping[str, Any]:
        """It has run, and its result was kept, or not."""
        if self._resumed is not None:
            self._resumed.ran(number)
        key = self._keys.get(number)
        if "why" in kept:
            self._is_not_kept(node, kept["why"])
            return {"why": kept["why"], **self._made_of(number, node)}
        inline = kept["inline"]
        reference: dict[str, Any] = kept["result"]
        self._remember(number, reference)
        made_of = self._made_of(number, node)
        found = None
        if key is not None and node in self._cached:
            named = {**reference, "code": made_of["code"]}
            found = finding(self._run_id, self._slugs[node], index, took_us, named)
        reference = {**reference, **made_of}
        self._log.keep([KeptContent(reference["sha256"], inline, None if found is None else key, found)])
        return reference

    def skipped(self, number: int, node: int) -> Mapping[str, Any] | None:
        """It has run, and has skipped itself."""
        if self._resumed is not None:
            self._resumed.ran(number)
        return self._made_of(number, node) or None

    def _made_of(self, number: int, node: int) -> dict[str, str]:
        """By what it is known whether it would be the same again: also of what has no result that is kept."""
        key = self._keys.get(number)
        if key is not None:
            return {"key": key, "code": self._prints.code(node)}
        try:
            return {"code": self._prints.code(node)}
        except Exception:  # Unhashable, as `find` has told already; and what a value of the user's own raises
            return {}

    def _is_not_kept(self, node: int, why: str) -> None:
        """Told once for each task: aloud where somebody has asked for its result to be cached, else in the log only."""
        if node in self._told:
            return
        self._told.add(node)
        name = self._tasks[node].name
        if node in self._cached:
            self._warn(node, f"Task {name!r} is not cached: {why}")
        else:
            self._say(
                logging.INFO, f"Its result is not kept, so it runs again if a resumed run needs it: {why}", node, 1
            )

    def close(self) -> None:
        """The run has ended."""
        self._known.close()
        if self._hits:
            tasks = "1 task was" if self._hits == 1 else f"{self._hits} tasks were"
            saved = f", which saved {self._saved_us / 1e6:.1f} s" if self._saved_us >= SHORT_US else ""
            self._say(logging.INFO, f"{tasks} taken from the cache{saved}.", -1, 0)
        if self._used:
            self._tell_used(self._used)

    def _warn(self, node: int, text: str) -> None:
        _LOGGER.warning("%s", text)
        self._say(logging.WARNING, text, node, 1)

    def _say(self, level: int, text: str, node: int, attempt: int) -> None:
        """Into the run's log: the engine's thread is no task, so what it logs is not caught for it."""
        self._log.add_log_lines([LogLine(time.time_ns() // 1000, level, _LOGGER.name, text, node, -1, attempt)])


def finding(run_id: str, task: str, index: int, took_us: int, reference: Mapping[str, Any]) -> dict[str, Any]:
    """What later runs find below a key: whose result it is, what it has cost, and where it is kept."""
    return {
        "run_id": run_id,
        "task": task,
        "index": index,
        "took_us": took_us,
        "created_us": time.time_ns() // 1000,
        "reference": reference,
    }
