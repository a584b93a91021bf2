"""Where results are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.prefect._missing import HERE, refuse
from notebook_flows.store.results import LocalResult as OurLocalResult

if TYPE_CHECKING:
    import os

    from notebook_flows.store.results import Serializer

__all__ = ["LocalResult", "PrefectResult"]


class LocalResult(OurLocalResult):
    """Results in a folder of this machine; in the one that the settings name, unless given.

    Args:
        dir: the folder.
        validate_dir: kept for code written for Prefect 1; the folder is made when it is first written to.
        location: a file name below it, in which keys of the context are filled in.
        serializer: how values become bytes; pickles by default.
    """

    def __init__(
        self,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 - Prefect's name
        validate_dir: bool = True,
        location: str | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        if dir is None:
            from notebook_flows.settings import settings_from

            dir = settings_from().results  # noqa: A001 - Prefect's name
        super().__init__(dir, location=location, serializer=serializer)


def PrefectResult(**_: Any) -> None:  # noqa: N802 - a class in Prefect 1
    """Nothing to be said to a task: small results are kept in the history without being asked."""


def __getattr__(name: str) -> Any:
    refuse(f"{HERE}engine.results.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
