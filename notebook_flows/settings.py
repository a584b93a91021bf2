"""What is set by environment variables, and where things are kept by default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "NOTEBOOK_FLOWS_"
HISTORY_CHOICES = ("on", "off", "memory")


class SettingsError(FlowError, ValueError):
    """A setting that cannot be understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What is in force.

    Attributes:
        store: the file with the history of runs; ``NOTEBOOK_FLOWS_STORE``.
        history: ``on``; ``off``: runs leave no trace; ``memory``: it ends with the process.
            ``NOTEBOOK_FLOWS_HISTORY``.
        results: the folder for the files of tasks with a ``target``; ``NOTEBOOK_FLOWS_RESULTS``.
        keep_days: runs that ended longer ago are forgotten; 0 keeps all. ``NOTEBOOK_FLOWS_KEEP_DAYS``.
    """

    store: Path
    history: str
    results: Path
    keep_days: float = 90.0


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that these environment variables make; those of the process unless given.

    Raises:
        SettingsError: a value cannot be understood.
    """
    variables = os.environ if environment is None else environment
    history = variables.get(f"{PREFIX}HISTORY", "on").lower()
    if history not in HISTORY_CHOICES:
        raise SettingsError(
            f"{PREFIX}HISTORY is {history!r}; it can be on, off or memory.{did_you_mean(history, HISTORY_CHOICES)}"
        )
    days = variables.get(f"{PREFIX}KEEP_DAYS", "90")
    try:
        keep_days = float(days)
    except ValueError:
        raise SettingsError(f"{PREFIX}KEEP_DAYS is {days!r}; it is a number of days, 0 to keep all.") from None
    return Settings(
        store=_path(variables, "STORE", "history.sqlite"),
        history=history,
        results=_path(variables, "RESULTS", "results"),
        keep_days=keep_days,
    )


def _path(variables: Mapping[str, str], name: str, default: str) -> Path:
    given = variables.get(f"{PREFIX}{name}")
    if given:
        try:
            return Path(given).expanduser().absolute()
        except RuntimeError:  # "~nobody": there is no such user, or no home is known
            raise SettingsError(
                f"{PREFIX}{name} is {given!r}; the home of {given.split('/')[0]!r} is unknown: give the path in full."
            ) from None
    from platformdirs import user_data_path

    return user_data_path("notebook_flows", appauthor=False) / default
