"""What a task cell leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.fingerprints.watching import Seen
    from notebook_flows.session.settling import Settling


@dataclass(frozen=True, kw_only=True, slots=True)
class CellValues:
    """What one run of a task cell has bound, deleted and changed; `land` puts it into the notebook's namespace.

    Attributes:
        bound: name -> value, for each name that the cell has bound.
        deleted: names that it has deleted.
        unpredicted: those of both that the analysis did not see coming.
        handed_back: inputs that it may have changed, as they are now, where it ran on copies of them.
        left_behind: name -> why its value could not come back from the process in which it was bound.
        settling: of the functions that still see the names of the run.
        seen: what the run read and evaluated; None: it was not watched.
    """

    bound: Mapping[str, Any] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    unpredicted: frozenset[str] = frozenset()
    handed_back: Mapping[str, Any] = field(default_factory=dict)
    left_behind: Mapping[str, str] = field(default_factory=dict)
    settling: Settling | None = field(default=None, repr=False, compare=False)
    seen: Seen | None = field(default=None, repr=False, compare=False)

    def release(self) -> None:
        """It has landed, or never will: functions that it has left somewhere see only the notebook's names now."""
        if self.settling is not None:
            self.settling.finish()
