"""Values that a later cell has replaced in the namespace, where a cell in between reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.session.runvalues import Version


class HeldVersions:
    """Versions of names that the namespace does not hold any more.

    Attributes:
        by_version: version -> value; always the same mapping.
    """

    def __init__(self) -> None:
        self.by_version: dict[Version, Any] = {}

    def keep(self, connections: Connections, key: str, bound: Mapping[str, Any], given: Collection[str] = ()) -> None:
        """Hold what a cell has bound, if other cells bind the name as well and somebody reads this version.

        Args:
            connections: of all cells.
            key: of the cell.
            bound: name -> value.
            given: names whose values were given as parameters: the cell cannot make these again, so they are held
                in any case.
        """
        for version in [one for one in self.by_version if one[0] == key]:
            del self.by_version[version]
        read = {
            name for links in connections.cells.values() for name, definers in links.inputs.items() if key in definers
        }
        others = {name for other, links in connections.cells.items() if other != key for name in links.outputs}
        for name in (read & others | set(given)) & bound.keys():
            self.by_version[key, name] = bound[name]

    def find(self, key: str, name: str) -> tuple[bool, Any]:
        """Whether the value that a cell has given a name is held although another one has its place; and the value."""
        return (key, name) in self.by_version, self.by_version.get((key, name))

    def forget(self, key: str | None = None) -> None:
        """Let go of what a cell has bound, or of all."""
        for version in [one for one in self.by_version if key in {None, one[0]}]:
            del self.by_version[version]
