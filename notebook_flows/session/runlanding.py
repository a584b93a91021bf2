"""Lands what the cells of a run have made: of each name the last version in document order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from notebook_flows.session.landing import land

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.runorder import Order
    from notebook_flows.session.values import CellValues

_NOTHING = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedRun:
    """What has landed of a run; see `runorder.Report`, whose attributes have the same names."""

    landed: Mapping[str, frozenset[str]]
    replaced: Mapping[str, Mapping[str, str]]
    left: frozenset[str]


def land_run(
    done: Mapping[str, CellValues],
    order: Order,
    user_ns: dict[str, Any],
    *,
    bound_by: Callable[[str], str | None],
    since: Mapping[str, Any] | None,
) -> LandedRun:
    """Each name gets its last version in document order; one that a later cell has bound already stays.

    Args:
        done: key -> what the cell made, in document order.
        order: of the run.
        user_ns: the namespace.
        bound_by: whose version of a name the namespace holds.
        since: the namespace when the run began, for a run in the background; see `landing.land`.
    """
    place = {key: number for number, key in enumerate(order.connections.cells)}
    replaced: dict[str, dict[str, str]] = {}
    to_land: list[CellValues] = []
    for key, values in done.items():
        later = {
            name: owner
            for name in (*values.bound, *values.deleted)
            if user_ns.get(name) is not values.bound.get(name, _NOTHING)
            and (owner := bound_by(name)) is not None
            and owner not in done
            and place.get(owner, -1) > place[key]
        }
        if later:
            replaced[key] = later
            values = replace(  # noqa: PLW2901 - the same, without them
                values,
                bound={name: value for name, value in values.bound.items() if name not in later},
                deleted=values.deleted - later.keys(),
            )
        to_land.append(values)
    found = land(to_land, user_ns, since=since)
    last: dict[str, str] = {}
    for key, values in zip(done, to_land, strict=True):
        last.update(dict.fromkeys((*values.bound, *values.deleted), key))
    landed = {key: frozenset(name for name, owner in last.items() if owner == key) - found.kept for key in done}
    return LandedRun(landed=landed, replaced=replaced, left=found.kept)
