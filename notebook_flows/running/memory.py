"""What the run of a notebook may take from earlier runs, and whether it leaves something for later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.settings import settings_from
from notebook_flows.workspace.resuming import ResumeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from notebook_flows.core.flow import Flow
    from notebook_flows.notebook.document import Document
    from notebook_flows.workspace.celldone import Done
    from notebook_flows.workspace.notebookmemory import NotebookMemory


def memory_for(
    document: Document,
    flow: Flow,
    run_id: str,
    cwd: Path,
    history: bool | None,
    *,
    parameters: Mapping[str, Any],
    cache: bool | None,
    keep_results: bool | None,
    done: Done | None,
) -> NotebookMemory | None:
    """What the run may take from earlier ones; None: nothing, and nothing is kept."""
    from notebook_flows.workspace.histories import event_log, log_for

    has_tasks = any(getattr(task, "is_task", False) for task in flow._into)
    if not has_tasks and done is not None:
        raise ResumeError(
            f"The notebook {flow.name!r} has no task cells, and the values of ordinary cells are not kept: "
            "there is nothing to go on with. Run it again, or a part of it: --from CELL."
        )
    if not has_tasks or not is_recorded(history) or log_for(history) is not event_log():
        return None  # the kernel could not find a history that only this process knows
    from notebook_flows.workspace.notebookmemory import NotebookMemory

    settings = settings_from()
    return NotebookMemory(
        document,
        flow.name,
        run_id=run_id,
        folder=cwd,
        parameters=parameters,
        keeps=settings.keep_results != "off" if keep_results is None else keep_results,
        caches=bool(cache) or (cache is None and settings.cache == "all"),
        is_off=cache is False or (cache is None and settings.cache == "off"),
        is_fresh=settings.cache == "refresh",
        done=done,
    )


def is_recorded(history: bool | None) -> bool:
    """Whether other processes find the run in the history."""
    return history is not False and settings_from().history == "on"
