"""``prefect.config``: settings may be written as before, and change nothing; reading one that was not written raises."""

from __future__ import annotations

from typing import Any

from notebook_flows.errors import UnavailableError

SECTIONS = ("backend", "cloud", "debug", "engine", "flows", "logging", "server", "tasks")


class Section:
    """Part of the settings.

    >>> config.flows.checkpointing = True
    """

    def __init__(self, path: str, sections: tuple[str, ...] = ()) -> None:
        self.__dict__["_path"] = path
        for name in sections:
            self.__dict__[name] = Section(f"{path}.{name}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnavailableError(
            f"notebook_flows does not offer prefect.{self._path}.{name}. Instead: settings are the environment "
            "variables NOTEBOOK_FLOWS_...; results are written wherever a task has a target or a result."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value


config = Section("config", SECTIONS)
