"""Looks for what earlier runs have kept of a cell that is about to run, and keeps what it has made."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.engine.wording import short
from notebook_flows.fingerprints import Unhashable
from notebook_flows.fingerprints.watching import Seen
from notebook_flows.session.cellkeys import content_key, files_in_key, hides_files, names_in_key, why_not_cached
from notebook_flows.session.cellresults import NotUsable, Sight, kept, look_before, marked, recalled, with_changes
from notebook_flows.session.cellseen import (
    Expected,
    added,
    as_seen,
    evaluates_texts,
    names_read,
    sight_of_all,
    warning_of,
    why_never_seen,
    why_not_kept,
    why_other,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.analysis.connections import Links
    from notebook_flows.engine.ports import KnownResult, KnownResults
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues
    from notebook_flows.store.keeping import ResultStore


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What may be taken for a cell.

    Attributes:
        caches: it is cached without ``--cache``, too, unless it acts on the world outside.
        is_off, is_fresh: it is not cached; it runs, and is kept anew.
        before: what the run that is gone on with has kept of it.
        is_again: an earlier attempt has run, and may have changed what it was given: it counts as given what is there
            now, and nothing is taken.
    """

    caches: bool = False
    is_off: bool = False
    is_fresh: bool = False
    before: KnownResult | None = None
    is_again: bool = False


class Hit(NamedTuple):
    """What is taken from an earlier run."""

    values: CellValues
    outputs: Sequence[Mapping[str, Any]]
    found: KnownResult


class Shelf:
    """Of one run.

    Args:
        store: loads and keeps contents.
        known: what the history knows.
        secret_key: with which secrets are hashed.
    """

    def __init__(self, store: ResultStore, known: KnownResults, secret_key: bytes) -> None:
        self._store = store
        self._known = known
        self._secret_key = secret_key
        self._expected: dict[str, Expected] = {}
        self._key_of: dict[str, str] = {}
        self._to_say: dict[str, list[tuple[int, str]]] = {}

    def said(self, key: str) -> list[tuple[int, str]]:
        """What people should know of a cell, told once: levels of logging, and sentences."""
        return self._to_say.pop(key, [])

    def find(self, record: CellRecord, links: Links, sight: Sight, asked: Asked) -> Hit | None:
        """What makes it needless to run the cell, which is about to run; None: run it."""
        key = record.key
        self._key_of.pop(key, None)
        is_evaluating = bool(record.options.cache) and not asked.is_off and evaluates_texts(links)
        if is_evaluating:
            sight = sight_of_all(sight)
        expected = self._expected[key] = _expected(record, links, sight, evaluates=is_evaluating)
        look_before(sight, self._secret_key)
        if (
            asked.before is not None
            and not asked.is_again
            and (hit := self._hit(record, asked.before, sight)) is not None
        ):
            return hit
        if not self._is_cached(record, links, sight, asked):
            return None
        if never_seen := why_never_seen(links):
            self._say_not_cached(
                record,
                f"nobody can see through it ({never_seen}); name what it takes and gives with --reads and --writes",
            )
            return None
        try:
            own_key = self._key_of[key] = content_key(record, links, sight, self._secret_key, expected.counted)
        except Exception as error:  # Unhashable; and what a value of the user's own raises when it is looked at
            self._say_not_cached(record, str(error) if isinstance(error, Unhashable) else short(error))
            return None
        found = None if asked.is_fresh or asked.is_again else self._known.find(own_key)
        return None if found is None else self._hit(record, found, sight)

    def _is_cached(self, record: CellRecord, links: Links, sight: Sight, asked: Asked) -> bool:
        if asked.is_off or record.options.cache is False:
            return False
        if record.options.cache:
            return True
        if not asked.caches:
            return False
        why_not = why_not_cached(record, links, sight)
        if why_not:
            said = (
                f"Task {record.name!r} is not cached, for it uses {why_not}; `%%task --cache` asks for it all the same."
            )
            self._say(record.key, logging.INFO, said)
        return not why_not

    def _say_not_cached(self, record: CellRecord, why: str) -> None:
        self._say(record.key, logging.WARNING, f"Task {record.name!r} runs, and is not cached: {why}.")

    def _hit(self, record: CellRecord, found: KnownResult, sight: Sight) -> Hit | None:
        if why := why_other(found.reference, sight, self._secret_key):
            said = f"Task {record.name!r} runs, though run {found.run_id[:8]} has run it: {why}."
            self._say(record.key, logging.INFO, said)
            return None
        inline = found.inline
        if inline is None and found.reference.get("in") == "history":
            inline = self._known.content(found.reference["sha256"])
        try:
            values, outputs = recalled(self._store, found.reference, inline, sight)
        except NotUsable as error:
            said = f"Task {record.name!r} runs, though run {found.run_id[:8]} has run it: {error}."
            self._say(record.key, logging.WARNING, said)
            return None
        self._expected.pop(record.key, None)
        return Hit(with_changes(values, sight), marked(outputs, found.run_id), found)

    def keep(
        self, record: CellRecord, values: CellValues, outputs: Sequence[Mapping[str, Any]], *, keeps: bool
    ) -> dict[str, Any] | None:
        """Keep what a cell has made.

        Args:
            record: the cell.
            values: that it has made.
            outputs: that stand below it.
            keeps: it is kept though it is not cached.
        Returns:
            As `cellresults.kept`, with its ``key``; None: nothing is to be kept.
        """
        expected = self._expected.pop(record.key, None)
        key = self._key_of.get(record.key)
        if expected is None or not (keeps or key):
            return None
        seen = values.seen or Seen()
        names = names_read(record, expected, seen)
        more, changed = added(expected, seen, names, is_cached=bool(key))
        if key and (why := why_not_kept(expected, seen, changed, names)):
            key = None
            self._say(record.key, logging.WARNING, f"Task {record.name!r} is not cached: {why}.")
            if not keeps:
                return None
        said = kept(self._store, as_seen(expected, names), values, outputs, self._secret_key)
        if "why" in said:
            if key:
                self._say(record.key, logging.WARNING, f"Task {record.name!r} is not cached: {said['why']}")
            else:
                told = "What it has made is not kept, so it runs again if a resumed run needs it"
                self._say(record.key, logging.INFO, f"{told}: {said['why']}")
            return {**said, "key": key}
        if key and (warning := warning_of(expected, seen)):
            self._say(record.key, logging.WARNING, f"Task {record.name!r} is cached, and {warning}.")
        return {**said, "result": {**said["result"], **more}, "key": key}

    def _say(self, key: str, level: int, text: str) -> None:
        self._to_say.setdefault(key, []).append((level, text))


def _expected(record: CellRecord, links: Links, sight: Sight, *, evaluates: bool) -> Expected:
    counted = files_in_key(record, links, sight)
    return Expected(
        sight=sight,
        wanted=names_in_key(record, links),
        counted=counted,
        hides_files=hides_files(links) and not counted,
        evaluates=evaluates,
    )
