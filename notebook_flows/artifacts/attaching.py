"""`artifact`: attach something to the task that runs here, to be kept and looked at with its run."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

from notebook_flows.artifacts.content import ArtifactError
from notebook_flows.artifacts.outlets import outlets
from notebook_flows.artifacts.values import content_of
from notebook_flows.core.context import current_attempt
from notebook_flows.engine.attachments import Attachment, kept, line_of
from notebook_flows.engine.logs import TASK_LOGGER, sink_of
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from notebook_flows.artifacts.content import Content

LONGEST_KEY = 100
LONGEST_TITLE = 200
LONGEST_DESCRIPTION = 4_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


def artifact(
    value: Any,
    key: str | None = None,
    *,
    title: str = "",
    description: str = "",
    kind: str | None = None,
    name: str | None = None,
) -> None:
    """Attach something to the task that runs here: it is kept with the run, and shown where its history is.

    Where no task runs, or no history is kept, nothing happens, so that a task's function can be tested alone. Where its
    content cannot be kept, because a disk is full or a server away, the task goes on, and its log says so.

    Args:
        value: a DataFrame, a list of dicts, a dict of columns (a table, of which the first 1,000 rows are kept); a text
            (Markdown); a PIL image, a matplotlib figure, or the bytes of a PNG, JPEG, GIF, WebP or SVG image; a
            `pathlib.Path`, whose file is copied; an address that begins with ``https://``.
        key: a short name. What is attached under the same key later, by a retry for example, is shown in its place.
            Unless given: ``table``, ``table-2`` and so on.
        title: one line that says what it is.
        description: more about it, as plain text.
        kind: ``table``, ``markdown``, ``image``, ``file`` or ``link``, where the type does not say what is meant.
        name: of the file that bytes are to be.
    Raises:
        ArtifactError: it cannot be attached; says what can.
    """
    content = content_of(value, kind=kind, name=name)
    told = _told(content, key, title, description)
    attempt = current_attempt()
    store = None if attempt is None else attempt.call.facts.attachments
    if store is not None:
        try:
            clean, inline = kept(told, content.data, store)
        except FlowError as error:  # what only shows the run must not end it
            logging.getLogger(TASK_LOGGER).error("An artifact is not kept: %s", error)  # noqa: TRY400 - its sentence says all
            return
        call, now_us = attempt.call, time.time_ns() // 1000
        sink = sink_of(attempt.run_id)
        if sink is not None:  # else the run is over
            sink([line_of(Attachment(now_us, call.task_key, call.index, call.attempt, clean, inline))])
        return
    for outlet in outlets:
        if outlet(told, content.data):
            return


def _told(content: Content, key: str | None, title: str, description: str) -> dict[str, Any]:
    """The description of an artifact, without what it has not."""
    told: dict[str, Any] = {
        "kind": content.kind,
        "key": None if key is None else _one_line("key", key, LONGEST_KEY),
        "title": _one_line("title", title, LONGEST_TITLE) if title else "",
        "description": _text("description", description, LONGEST_DESCRIPTION),
        "type": content.media_type,
        "summary": content.summary,
        "name": content.file_name,
        "link": content.link,
    }
    return {name: one for name, one in told.items() if one}


def _one_line(what: str, text: Any, longest: int) -> str:
    if not isinstance(text, str) or not text.strip() or _CONTROL.search(text):
        raise ArtifactError(f"The {what} of an artifact is a text of one line, not {text!r:.200}.")
    return _text(what, text.strip(), longest)


def _text(what: str, text: Any, longest: int) -> str:
    if not isinstance(text, str):
        raise ArtifactError(f"The {what} of an artifact is a text, not a {type(text).__qualname__}.")
    if len(text) > longest:
        raise ArtifactError(f"The {what} of an artifact has {longest:,} characters at most, not {len(text):,}.")
    return text
