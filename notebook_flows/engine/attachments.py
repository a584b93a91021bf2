"""What tasks attach to their runs, on its way from the task to an event: as a line beside the lines of the log."""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.events import Kind
from notebook_flows.engine.call import LogLine
from notebook_flows.engine.ports import KeptContent
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.run import Run
    from notebook_flows.engine.ports import AttachmentStore, RunLog
    from notebook_flows.engine.record import Record

LOGGER = "artifact"
"""The logger's name in the line by which a run's log tells of an artifact."""
MOST = 1_000
"""Artifacts of one task run that a run takes."""
_LEVEL = -1
"""No record of the standard library has it: so nobody's log line is taken for an artifact."""


class Attachment(NamedTuple):
    """One artifact, as its task has told it.

    Attributes:
        told: its description: ``kind``, ``key`` if it was given one, ``title``, ``summary``, ``content`` and the like.
        inline: content that the history is to take over.
    """

    at_us: int
    node: int
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs here
    attempt: int
    told: Mapping[str, Any]
    inline: bytes | None


def kept(told: Mapping[str, Any], content: bytes | None, store: AttachmentStore) -> tuple[dict[str, Any], bytes | None]:
    """The description with a reference to its content, and what the history is to take over.

    Raises:
        FlowError: the content cannot be kept; says why.
    """
    clean = dict(store.without_secrets(told))
    if content is None:
        return clean, None
    reference, inline = store.keep(content)
    return {**clean, "content": reference}, inline


def line_of(attachment: Attachment) -> LogLine:
    """The line in which it travels, the same way as what its task logs."""
    at_us, node, index, attempt, told, inline = attachment
    data = None if inline is None else base64.b64encode(inline).decode()
    return LogLine(at_us, _LEVEL, LOGGER, json.dumps([dict(told), data]), node, index, attempt)


def is_attachment(line: LogLine) -> bool:
    """Whether an artifact travels in this line."""
    return line.level == _LEVEL


def attachment_in(line: LogLine) -> Attachment:
    """The artifact that travels in a line."""
    told, data = json.loads(line.message)
    inline = None if data is None else base64.b64decode(data)
    return Attachment(line.at_us, line.node, line.index, line.attempt, told, inline)


class Attachments:
    """Makes events of what the tasks of a run attach. Called from the engine's thread.

    Args:
        run: which is under way.
        record: takes the events.
        log: takes content, and a line for people.
    """

    def __init__(self, run: Run, record: Record, log: RunLog) -> None:
        self._run = run
        self._record = record
        self._log = log
        self._counts: Counter[int] = Counter()
        self._unnamed: Counter[tuple[int, int, str]] = Counter()

    def take(self, line: LogLine) -> None:
        """Record the artifact in this line."""
        try:
            self._take(attachment_in(line))
        except (FlowError, KeyError, TypeError, ValueError):  # of a task run that this run does not have
            logging.getLogger(__name__).warning("An artifact could not be recorded.", exc_info=True)

    def _take(self, one: Attachment) -> None:
        number = self._number_of(one)
        self._counts[number] += 1
        if self._counts[number] > MOST:
            if self._counts[number] == MOST + 1:
                self._say(one, logging.WARNING, f"A task run keeps {MOST:,} artifacts; further ones are dropped.")
            return
        told = {**one.told, "key": one.told.get("key") or self._key(number, one)}
        if one.inline is not None:
            self._log.keep([KeptContent(sha256(one.inline).hexdigest(), one.inline)])
        loop = self._run.loops.get(number, 0) + 1
        state = self._run.state[number]
        self._record.add(one.at_us, Kind.ARTIFACT, one.node, one.index, one.attempt, loop, state, told)
        self._say(one, logging.INFO, words_of(told))

    def _number_of(self, one: Attachment) -> int:
        if not 0 <= one.node < len(self._run.plan.graph):
            raise KeyError(one.node)
        return self._run.number_of(one.node, one.index)

    def _key(self, number: int, one: Attachment) -> str:
        """``table``, then ``table-2`` and so on, in each attempt anew: so that a retry's takes the place of the first's."""
        kind = str(one.told["kind"])
        place = number, one.attempt, kind
        self._unnamed[place] += 1
        return kind if self._unnamed[place] == 1 else f"{kind}-{self._unnamed[place]}"

    def _say(self, one: Attachment, level: int, message: str) -> None:
        self._log.add_log_lines([LogLine(one.at_us, level, LOGGER, message, one.node, one.index, one.attempt)])


def words_of(told: Mapping[str, Any]) -> str:
    """An artifact in one line, for people.

    >>> words_of({"kind": "table", "key": "rows", "title": "Bad rows", "summary": "3 rows, 2 columns"})
    "table 'rows': Bad rows (3 rows, 2 columns)"
    """
    title = told.get("title") or ""
    summary = told.get("summary") or ""
    words = f"{told['kind']} {told['key']!r}"
    words += f": {title}" if title else ""
    return f"{words} ({summary})" if summary else words
