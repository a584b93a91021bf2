"""Loggers whose lines are kept with the run of the task that writes them."""

from __future__ import annotations

import logging

from notebook_flows.engine.logs import TASK_LOGGER

__all__ = ["get_logger"]


def get_logger(name: str | None = None) -> logging.Logger:
    """The logger of tasks, or one below it.

    >>> get_logger("cleaning").name
    'notebook_flows.task.cleaning'
    """
    return logging.getLogger(TASK_LOGGER if name is None else f"{TASK_LOGGER}.{name}")
