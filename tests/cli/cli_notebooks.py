"""What tests of notebooks on the command line have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = ("region: str = 'x'\nyear: int = 2025", ["parameters"])


def printed(path: Path) -> str:
    """What the cells of an executed notebook have printed."""
    notebook = nbformat.read(path, 4)
    return "".join(
        one.text for cell in notebook.cells for one in cell.get("outputs", ()) if one.output_type == "stream"
    )
