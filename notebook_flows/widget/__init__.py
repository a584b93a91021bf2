"""The live picture in notebooks: what the browser is told of a run, and the widget that tells it."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"


def is_built() -> bool:
    """Whether the page's script and style are there; they are not where the package was installed without them."""
    return all((STATIC / name).is_file() for name in ("widget.js", "widget.css"))
