"""What cells attach, on its way from a kernel to the history of the notebook's run."""

from __future__ import annotations

import base64
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.attachments import Attachment, kept, line_of
from notebook_flows.engine.call import LogLine
from notebook_flows.engine.logs import sink_of
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.engine.call import Call
    from notebook_flows.notebook.redaction import Redactor

MEDIA_TYPE = "application/vnd.notebook_flows.attached+json"
"""Of the display that carries an artifact; see `artifacts.kernel`."""


class SecretAttached(FlowError):  # noqa: N818 - the sentence that people read
    """Content with a secret in it that cannot be masked: it is no text."""

    def __str__(self) -> str:
        return (
            "What was attached has the value of a secret parameter in it, and is no text in which it could be masked: "
            "it is not kept. Take the secret out of it."
        )


def masked(content: bytes, redactor: Redactor) -> bytes:
    """The content without the values of secrets.

    Raises:
        SecretAttached: there are some in it, and it is no text.
    """
    if not redactor:
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        if redactor.is_in(content):
            raise SecretAttached from None
        return content
    return redactor.text(text).encode()


def carried_in(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a kernel's message carries of an artifact; None: it is another message."""
    if message["msg_type"] != "display_data":
        return None
    found: Mapping[str, Any] | None = message["content"].get("data", {}).get(MEDIA_TYPE)
    return found


def is_large(carried: Mapping[str, Any]) -> bool:
    """Whether keeping it may take a while."""
    return "file" in carried


def attach(call: Call, carried: Mapping[str, Any], redactor: Redactor) -> None:
    """Keep an artifact of a cell, and tell the run of it; any thread may. What cannot be kept is told in the run's log."""
    sink, store = sink_of(call.facts.run_id), call.facts.attachments
    at_us = int(carried.get("at_us") or time_ns() // 1000)
    try:
        content = _content(carried)
        if sink is None or store is None:
            return
        clean = None if content is None else masked(content, redactor)
        told, inline = kept(redactor.value(dict(carried["told"])), clean, store)
        line = line_of(Attachment(at_us, call.task_key, call.index, call.attempt, told, inline))
    except (FlowError, OSError, ValueError, KeyError) as error:
        message = f"An artifact is not kept: {redactor.text(str(error))}"
        line = LogLine(at_us, 40, "artifact", message, call.task_key, call.index, call.attempt)
        if sink is None:
            return
    sink([line])


def _content(carried: Mapping[str, Any]) -> bytes | None:
    if "inline" in carried:
        return base64.b64decode(carried["inline"])
    if "file" not in carried:
        return None
    path = Path(carried["file"])
    if not path.name.startswith("notebook_flows-attached-"):
        raise ValueError(f"the kernel names a file that is not its own: {path}")
    try:
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
