"""Images as artifacts: bytes that say what they are, and objects that can be drawn."""

from __future__ import annotations

import io
import re
from typing import Any

from notebook_flows.artifacts.content import IMAGE, ArtifactError, Content, told_size

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_SVG = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]", re.DOTALL)
ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}
_HEAD = 4_096


def media_type_of(data: bytes) -> str | None:
    """What kind of image the bytes are; None: none that browsers show.

    >>> media_type_of(b"GIF89a..."), media_type_of(b"<svg xmlns='...'/>"), media_type_of(b"hello")
    ('image/gif', 'image/svg+xml', None)
    """
    for beginning, media_type in _BEGINNINGS:
        if data.startswith(beginning):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _SVG.match(data[:_HEAD].removeprefix(b"\xef\xbb\xbf")) else None


def image_in(data: bytes, *, file_name: str = "") -> Content | None:
    """The bytes as an image; None: they are none."""
    media_type = media_type_of(data)
    if media_type is None:
        return None
    name = media_type.partition("/")[2].partition("+")[0].upper()
    return Content(IMAGE, media_type, f"{name}, {told_size(len(data))}", data, file_name)


def image_of(value: Any) -> Content | None:
    """An object that can be drawn, as an image; None: it cannot.

    Raises:
        ArtifactError: drawing it failed.
    """
    draw = _drawing(value)
    if draw is None:
        return None
    try:
        data = draw()
    except Exception as error:  # whatever a library raises
        raise ArtifactError(
            f"The {type(value).__name__} to attach cannot be drawn: {type(error).__name__}: {error}"
        ) from error
    if data is None:  # its class can be drawn, this object cannot
        return None
    return image_in(data.encode() if isinstance(data, str) else data)


def _drawing(value: Any) -> Any:
    """What draws the value."""
    library = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if "matplotlib" in library:
        figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
        return None if figure is None else lambda: _written(figure.savefig, format="png", bbox_inches="tight")
    if "PIL" in library and hasattr(value, "save"):
        return lambda: _written(_as_png(value).save, format="PNG")
    for method in ("_repr_svg_", "_repr_png_", "_repr_jpeg_"):
        draw = getattr(value, method, None)
        if callable(draw):
            return draw
    return None


def _as_png(image: Any) -> Any:
    return image if image.mode in {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"} else image.convert("RGB")


def _written(save: Any, **how: Any) -> bytes:
    out = io.BytesIO()
    save(out, **how)
    return out.getvalue()
