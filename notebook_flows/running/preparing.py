"""What stands ready before the first cell of a notebook runs: who saves it, where floods go, what its kernel knows."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from notebook_flows.artifacts.kernel import DRIVEN
from notebook_flows.notebook.names import address_of
from notebook_flows.notebook.parameters import is_python
from notebook_flows.workspace.one_run import PARENT_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from notebook_flows.core.secret import Secret
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.saving import Saver


def saver_for(path: Path, document: Document) -> Saver:
    """What saves the executed notebook, and sends it to its address if it has one."""
    if address_of(path) is None:
        from notebook_flows.notebook.saving import Saver

        return Saver(path, document.pieces)
    from notebook_flows.notebook.addresses import SendingSaver

    return SendingSaver(path, document.pieces)


def prologue_of(
    document: Document, secrets: Mapping[str, Secret], loading: str, *, strict_shell: bool, run_id: str
) -> list[str]:
    """What the kernel runs in silence before the first cell.

    Flows that run in it, and in what its cells start, get to know which run they are inside of.
    """
    if not is_python(document.notebook):
        return []
    from notebook_flows.notebook.secrets import prologue_for
    from notebook_flows.notebook.strictshell import PROLOGUE

    found = []
    if run_id:
        found = [
            f"""(lambda os: os.environ.update({{{PARENT_RUN!r}: {run_id!r}, {DRIVEN!r}: str(os.getpid())}}))(__import__("os"))"""
        ]
    found += [prologue_for(secrets)] if secrets else []
    found += [loading] if loading else []
    return [*found, PROLOGUE] if strict_shell else found


def flood_files(output_path: Path | None, number_of: Mapping[int, int]) -> Callable[[int], Path | None]:
    """The files for what cells print beyond all measure; those of an earlier run are removed."""
    if output_path is None:
        return lambda _: None
    target = output_path.resolve()
    for old in target.parent.glob(f"{glob.escape(target.stem)}.cell-*.log"):
        old.unlink(missing_ok=True)
    return lambda place: target.with_name(f"{target.stem}.cell-{number_of[place]}.log")
