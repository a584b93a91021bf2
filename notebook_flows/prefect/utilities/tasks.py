"""Decorators and helpers of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core import signals
from notebook_flows.core.building import tags
from notebook_flows.core.context import context
from notebook_flows.core.mapping import apply_map
from notebook_flows.core.task import defaults_from_attrs, task

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["apply_map", "defaults_from_attrs", "pause_task", "tags", "task"]


def pause_task(message: str | None = None, duration: timedelta | None = None) -> None:
    """Inside a task: wait for a person, unless one has already said that the task may go on.

    Args:
        message: shown to the person.
        duration: kept for code written for Prefect 1; a pause lasts until somebody resumes it.

    Raises:
        PAUSE: nobody has said so yet.
    """
    if not context.get("resume"):
        raise signals.PAUSE(message or "Pause signal raised during task execution.")
