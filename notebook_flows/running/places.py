"""Where a notebook is read, where what came out is written, and where its code runs."""

from __future__ import annotations

from pathlib import Path

from notebook_flows.notebook.errors import NotebookError
from notebook_flows.notebook.names import address_of

OUTPUT_SUFFIX = "-output.ipynb"


def output_path_for(path: str | Path, output: str | Path | None = None) -> Path:
    """Where the executed notebook goes.

    >>> output_path_for("reports/sales.ipynb").name
    'sales-output.ipynb'

    Raises:
        OutputError: it cannot go there.
    """
    from notebook_flows.notebook.saving import checked_output

    own_name = f"{Path(path).stem}{OUTPUT_SUFFIX}"
    target = Path(output if output is not None else own_name)
    try:
        if output is not None and target.is_dir():
            target /= own_name
    except (OSError, ValueError):
        pass  # told by the check
    checked_output(target, path)
    return target


def here(path: str | Path, *, is_output: bool = False) -> str | Path:
    """The file of this machine that stands for a notebook: of an address, what was fetched from it, or is sent to it."""
    if "://" not in str(path):
        return path
    from notebook_flows.notebook.addresses import fetched, is_address, outgoing

    if not is_address(path):
        return path
    return outgoing(str(path)) if is_output else fetched(str(path))


def folder_of(path: str | Path, cwd: str | Path | None) -> Path:
    """The folder in which the code of a notebook runs; its own unless one is given."""
    folder = Path(cwd) if cwd is not None else Path() if address_of(path) else Path(path).resolve().parent
    if not folder.is_dir():
        raise NotebookError(path, f"cannot run in {str(folder)!r}: there is no such folder.")
    return folder.resolve()
