"""Where artifacts go that are attached where no engine runs the task in this process."""

from __future__ import annotations

from typing import Any, Protocol

from notebook_flows.artifacts.kernel import to_runner


class Outlet(Protocol):
    """Takes artifacts, such as those of a cell in a kernel that a runner drives."""

    def __call__(self, told: dict[str, Any], content: bytes | None) -> bool:
        """Take one over; False: nobody here can."""


outlets: list[Outlet] = [to_runner]
"""Asked one after the other."""
