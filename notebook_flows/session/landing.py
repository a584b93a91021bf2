"""What task cells have bound, put into the notebook's namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from notebook_flows.session.values import CellValues

_MISSING = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Landed:
    """What has landed.

    Attributes:
        bound: names that have new values now.
        deleted: names that are gone now.
        kept: names that were left as they are, for the user has bound or deleted them since the run began.
    """

    bound: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


def snapshot(user_ns: Mapping[str, Any]) -> dict[str, Any]:
    """Which name has which value now, for `land` to see later what the user has bound meanwhile; holds the values."""
    return dict(user_ns)


def land(values: Iterable[CellValues], user_ns: dict[str, Any], *, since: Mapping[str, Any] | None = None) -> Landed:
    """Put the values of cells that ended well into the namespace; on the main thread, between two cells.

    Args:
        values: in document order: of one name the last value lands.
        user_ns: the namespace.
        since: the namespace when the run began. A name whose value is another one now was bound by the user, and is
            left alone; None: nobody else can have bound any.
    """
    several = tuple(values)
    last: dict[str, Any] = {}
    for one in several:
        last.update(one.handed_back)
        last.update(one.bound)
        last.update(dict.fromkeys(one.deleted, _MISSING))
    bound, deleted, kept = set(), set(), set()
    for name, value in last.items():
        now = user_ns.get(name, _MISSING)
        if now is value:
            continue
        if since is not None and now is not since.get(name, _MISSING):
            kept.add(name)
        elif value is _MISSING:
            del user_ns[name]
            deleted.add(name)
        else:
            user_ns[name] = value
            bound.add(name)
    for one in several:
        one.release()
    return Landed(bound=frozenset(bound), deleted=frozenset(deleted), kept=frozenset(kept))
