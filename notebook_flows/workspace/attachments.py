"""Where what tasks attach is kept, for a run of these settings; and how it is read again."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import StoreError
from notebook_flows.notebook.attached import masked
from notebook_flows.notebook.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from notebook_flows.store.keeping import ResultStore
    from notebook_flows.store.rows import ArtifactRow


@dataclass(frozen=True, slots=True)
class Attaching:
    """Fits `engine.ports.AttachmentStore`. It pickles, without the secrets: none of them leaves this process.

    Attributes:
        place: for content of more than 64 KiB: a folder, or an address of a bucket.
        most_inline: bytes of content that go into the history.
        redactor: knows the secrets of the run, as far as this process has them.
        part: of the place, for large content; None: that of the history.
        history: into which the run goes; it stays in this process.
    """

    place: Path | str
    most_inline: int
    redactor: Redactor
    part: str | None = None
    history: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Attaching, (self.place, self.most_inline, Redactor(()), self._part())

    def _part(self) -> str:
        from notebook_flows.store.parts import part_of

        return self.part if self.part is not None else part_of(self.history)

    def without_secrets(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """The description without the values of secrets."""
        clean: Mapping[str, Any] = self.redactor.value(dict(told))
        return clean

    def keep(self, content: bytes) -> tuple[dict[str, Any], bytes | None]:
        """Keep content, without the values of secrets."""
        clean = masked(content, self.redactor)
        try:
            part = self._part() if len(clean) > self.most_inline else ""
            kept = _store(self.place, self.most_inline, part, _access()).keep_content(clean)
        except StoreError:
            _store.cache_clear()  # whoever mends a bucket's access while a kernel goes on is not to start it anew
            raise
        return kept.reference, kept.inline


@cache
def _store(place: Path | str, most_inline: int, part: str, access: tuple[tuple[str, str], ...]) -> ResultStore:
    """One for each place, and way into it: a bucket's connection is worth keeping."""
    from notebook_flows.store.keeping import ResultStore, blobs_at

    return ResultStore(blobs_at(place), most_inline=most_inline, part=lambda: part)


def _access() -> tuple[tuple[str, str], ...]:
    """The variables by which boto3 finds its server and its credentials."""
    return tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(("AWS_", "BOTO3_"))))


def attachments_for(history: Any, redactor: Redactor) -> Attaching | None:
    """Where the tasks of a run attach; None where no history is kept.

    Args:
        history: into which the run goes.
        redactor: knows the run's secrets, which are masked.
    """
    if not hasattr(history, "artifacts"):
        return None
    from notebook_flows.settings import settings_from
    from notebook_flows.workspace.histories import ends_with_process

    most_inline = sys.maxsize if ends_with_process(history) else _most_inline()
    return Attaching(settings_from().blobs, most_inline, redactor, history=history)


def _most_inline() -> int:
    from notebook_flows.store.keeping import MOST_INLINE

    return MOST_INLINE


def content_of(history: Any, row: ArtifactRow) -> bytes:
    """The content of an artifact.

    Raises:
        StoreError: it is gone, damaged, or cannot be read.
    """
    from notebook_flows.workspace.histories import result_store

    if row.content is None:
        return row.link.encode()
    inline = None
    if row.content["in"] == "history":
        known = history.known_results()
        try:
            inline = known.content(row.content["sha256"])
        finally:
            known.close()
    return result_store().content(row.content, inline)
