"""What a notebook's file is called for people: the address from which it was fetched, or to which it is sent."""

from __future__ import annotations

from pathlib import Path

addresses: dict[Path, str] = {}
"""{file, or folder, of this machine: its address}; a folder's ends with a slash."""


def address_of(path: str | Path) -> str | None:
    """The address of a file; None: it is a file of this machine, and no more."""
    if not addresses:
        return None
    whole = Path(path).absolute()
    if whole in addresses:
        return addresses[whole]
    for place, address in addresses.items():
        if place in whole.parents:
            return f"{address}{whole.relative_to(place).as_posix()}"
    return None


def named(path: str | Path) -> str:
    """The file for people: its address, if it has one."""
    return address_of(path) or str(path)
