"""From the value that a task attaches to an artifact's content: by its type, or by the kind that was asked for."""

from __future__ import annotations

import mimetypes
import os
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from notebook_flows.artifacts.content import (
    FILE,
    IMAGE,
    KINDS,
    LINK,
    MARKDOWN,
    TABLE,
    ArtifactError,
    Content,
    told_size,
)
from notebook_flows.artifacts.images import image_in, image_of
from notebook_flows.artifacts.tables import table_of
from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 100 << 20
"""Of one artifact: it is kept for as long as its run, and sent to whoever looks at it."""
LONGEST_TEXT = 1 << 20
"""Characters of a Markdown text."""
LONGEST_LINK = 2_000
_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_SCHEMES = ("http", "https", "ftp", "mailto", "s3", "gs", "az", "abfs", "abfss", "hdfs")
"""Those that run nothing where somebody follows them."""
_ACCEPTED = (
    "a DataFrame or list of dicts (a table), a text (Markdown), a PIL image, matplotlib figure or image bytes, "
    "a pathlib.Path (a file), or an https:// address (a link)"
)


def content_of(value: Any, *, kind: str | None, name: str | None) -> Content:
    """The content of an artifact.

    Args:
        value: what is attached.
        kind: what it is to be taken for; None: what its type says.
        name: of the file that it is to be, where it has none.
    Raises:
        ArtifactError: it cannot be attached; says what can.
    """
    if kind is None:
        found = _by_type(value, name)
    elif kind in _MAKERS:
        found = _MAKERS[kind](value, name)
    else:
        raise ArtifactError(
            f"There is no kind of artifact {kind!r}; there are {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        )
    if found.data is not None and len(found.data) > MOST_BYTES:
        raise _too_large(found.kind, len(found.data))
    return found


def _by_type(value: Any, name: str | None) -> Content:
    if isinstance(value, str):
        return _link(value, name) if _LINK.fullmatch(value.strip()) else _markdown(value, name)
    if isinstance(value, PurePath):
        return _file(value, name)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _image_or_file(bytes(value), name)
    found = table_of(value) or image_of(value)
    if found is None:
        raise ArtifactError(f"A value of type {type(value).__qualname__!r} cannot be attached. What can: {_ACCEPTED}.")
    return found


def _image_or_file(data: bytes, name: str | None) -> Content:
    found = image_in(data, file_name=_plain_name(name or ""))
    if found is not None:
        return found
    if not name:
        raise ArtifactError(
            "These bytes are no PNG, JPEG, GIF, WebP or SVG image. To attach them as a file, give it a name: "
            "artifact(data, name='model.bin')."
        )
    return _file(data, name)


def _table(value: Any, name: str | None) -> Content:
    found = table_of(value)
    if found is None:
        raise ArtifactError(
            f"A value of type {type(value).__qualname__!r} is no table; a DataFrame is one, or a list of dicts."
        )
    return found


def _markdown(value: Any, name: str | None) -> Content:
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise ArtifactError(
            f"A text to attach has {LONGEST_TEXT:,} characters at most, this one has {len(text):,}. Attach it as a file: "
            "artifact(text.encode(), name='report.md')."
        )
    lines = text.count("\n") + 1
    summary = f"{lines:,} line" + ("" if lines == 1 else "s")
    return Content(MARKDOWN, "text/markdown", summary, text.encode("utf-8", "replace"))


def _image(value: Any, name: str | None) -> Content:
    if isinstance(value, PurePath):
        found = image_in(_read(value), file_name=value.name)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        found = image_in(bytes(value), file_name=_plain_name(name or ""))
    elif isinstance(value, str):
        found = image_in(value.encode())
    else:
        found = image_of(value)
    if found is None:
        raise ArtifactError(
            f"A value of type {type(value).__qualname__!r} is no image that can be shown; PNG, JPEG, GIF, WebP and SVG can."
        )
    return found


def _file(value: Any, name: str | None) -> Content:
    if isinstance(value, str):
        value = Path(value)
    if isinstance(value, PurePath):
        data, name = _read(value), name or value.name
        found = image_in(data, file_name=_plain_name(name))
        if found is not None:
            return found
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    else:
        raise ArtifactError(
            f"A file to attach is given as a pathlib.Path or bytes, not as {type(value).__qualname__!r}."
        )
    known, coding = mimetypes.guess_type(name or "")
    media_type = known if known and not coding else "application/octet-stream"
    plain = _plain_name(name or "") or "file"
    return Content(FILE, media_type, f"{plain}, {told_size(len(data))}", data, plain)


def _read(path: PurePath) -> bytes:
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise _too_large("file", size, f" {str(path)!r}")
            data = file.read(MOST_BYTES + 1)  # a pipe or a device has no size
    except OSError as error:
        raise ArtifactError(f"The file {str(path)!r} cannot be attached: {error.strerror or error}.") from error
    if len(data) > MOST_BYTES:
        raise _too_large("file", len(data), f" {str(path)!r}")
    return data


def _too_large(kind: str, size_bytes: int, which: str = "") -> ArtifactError:
    return ArtifactError(
        f"The {kind}{which} to attach has {told_size(size_bytes)}; {told_size(MOST_BYTES)} is the most that is kept. "
        "Put it where it can stay and attach its address: artifact('https://...')."
    )


def _plain_name(name: str) -> str:
    """The name of a file without its folder, and without what no file system likes."""
    last = re.split(r"[\\/]", name)[-1]
    plain = "".join(one if one.isprintable() else "_" for one in last).strip(". ")
    return plain[:120] if len(plain) <= 120 else f"{PurePath(plain).stem[:100]}{PurePath(plain).suffix[:20]}"


def _link(value: Any, name: str | None) -> Content:
    text = str(value).strip()
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or scheme.lower() not in _SCHEMES or re.search(r"[\s<>\"]", text):
        raise ArtifactError(
            f"{text[:200]!r} is no address that can be attached; one begins with https://, or {', '.join(_SCHEMES[2:])}."
        )
    if len(text) > LONGEST_LINK:
        raise ArtifactError(
            f"An address to attach has {LONGEST_LINK:,} characters at most, this one has {len(text):,}."
        )
    return Content(LINK, "", text if len(text) <= 100 else f"{text[:100]}...", None, "", text)


_MAKERS: dict[str, Callable[[Any, str | None], Content]] = {
    TABLE: _table,
    MARKDOWN: _markdown,
    IMAGE: _image,
    FILE: _file,
    LINK: _link,
}
