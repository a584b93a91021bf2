"""The outputs of one task as a notebook keeps them: streams joined, updates followed, and bounded."""

from __future__ import annotations

import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from notebook_flows.notebook.streams import Streams, overwritten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DISPLAY_LIMIT = 10_000
"""Outputs, other than printed text, that one task may have."""
DISPLAY_BYTES = 100_000_000


class KeptOutputs:
    """The list of outputs, in the notebook format; its owner sees to it that one thread at a time is here.

    Args:
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self._outputs: list[dict[str, Any]] = []
        self._streams = Streams(self._outputs, file, node=dict)
        self._by_display_id: dict[str, list[dict[str, Any]]] = {}
        self._clears_next = False
        self._has_ended = False
        self._shown = 0
        self._shown_bytes = 0

    def settled(self) -> list[dict[str, Any]]:
        """The outputs as they are now; the caller's own list."""
        self._streams.settle()
        return [_as_shown(output) for output in self._outputs]

    def stream(self, name: str, text: str) -> None:
        """Printed text joins that before it."""
        self._begin_output()
        self._streams.add(name, text)

    def add(self, output: dict[str, Any], display_id: str | None = None) -> bool:
        """Anything but printed text; False: it is one too many, and is not kept."""
        self._begin_output()
        if output["output_type"] != "error" and not self._has_room(output["data"]):
            return False
        self._outputs.append(output)
        if display_id is not None:
            self._by_display_id.setdefault(display_id, []).append(output)
        return True

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], display_id: str | None) -> None:
        """What is shown under this id, if anything is, becomes something else."""
        for output in self._by_display_id.get(display_id or "", ()):
            output["data"] = dict(data)
            output["metadata"] = dict(metadata)

    def clear(self, *, wait: bool) -> None:
        """Everything goes, now or when the next output comes."""
        self._clears_next = wait
        if wait:
            return
        self._outputs.clear()
        self._by_display_id.clear()
        self._streams.forget()
        self._shown_bytes = 0

    @property
    def clears_next(self) -> bool:
        """What is shown goes away when the next output comes."""
        return self._clears_next

    def end(self) -> str:
        """The task is over.

        Returns:
            The note on what is not shown, with the end of the text; or nothing.
        """
        if self._has_ended:
            return ""
        self._has_ended = True
        return self._streams.end()

    def _begin_output(self) -> None:
        if self._clears_next:
            self.clear(wait=False)

    def _has_room(self, data: Mapping[str, Any]) -> bool:
        self._shown += 1
        self._shown_bytes += sum(len(one) if isinstance(one, str) else sys.getsizeof(one) for one in data.values())
        if self._shown <= DISPLAY_LIMIT and self._shown_bytes <= DISPLAY_BYTES:
            return True
        if self._shown < sys.maxsize // 2:  # told once
            self._shown = sys.maxsize // 2
            limits = f"{DISPLAY_LIMIT} outputs or {DISPLAY_BYTES / 1e6:g} MB"
            self._streams.add(
                "stderr", f"[notebook_flows: this cell displays more than {limits}; the rest is not kept.]\n"
            )
        return False


def shown_output(kind: str, data: Mapping[str, Any], metadata: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A display or a result in the notebook format; bytes, as of an image, become text."""
    encoded = {mime: b64encode(one).decode() if isinstance(one, bytes) else one for mime, one in data.items()}
    return {"output_type": kind, "data": encoded, "metadata": dict(metadata), **more}


def error_output(ename: str, evalue: str, traceback: Sequence[str]) -> dict[str, Any]:
    """An exception in the notebook format."""
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": list(traceback)}


def _as_shown(output: dict[str, Any]) -> dict[str, Any]:
    copy = dict(output)
    if copy["output_type"] == "stream" and "\r" in copy["text"]:
        copy["text"] = overwritten(copy["text"])
    return copy
