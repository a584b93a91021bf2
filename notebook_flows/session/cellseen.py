"""What was seen of a cell while it ran, for its result: the files that it read, and what the texts read that it evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.fingerprints.readfiles import READ, changed_file, read_files
from notebook_flows.session.cellresults import print_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis.connections import Links
    from notebook_flows.fingerprints.watching import Seen
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.record import CellRecord

MOST_READ = 256_000_000
"""Bytes that are read again of what a cell has read that nobody wants to cache, for runs that may go on with this one."""
EVALUATED = "evaluated"
"""In a reference to what is kept of a cell: name -> the fingerprint that its value had, of those that evaluated texts read."""
_HEARD = ("eval()", "exec()", "names in the text of ", "unknown magic %run")
"""Why a cell cannot be seen through, where it is seen while it runs."""
_HARMLESS = ("it uses ", "a function binds ", "from ")
"""Why a cell is alone, though all that it reads is seen."""


class Expected(NamedTuple):
    """What is known of a cell that is about to run, to be compared with what is seen of it.

    Attributes:
        wanted: names that are in its key.
        counted: files that are in its key.
        hides_files: its text reads files that it does not tell, and no value tells them.
        evaluates: it evaluates texts, and what these read is seen while it runs.
    """

    sight: Sight
    wanted: frozenset[str] = frozenset()
    counted: tuple[str, ...] = ()
    hides_files: bool = False
    evaluates: bool = False


def why_never_seen(links: Links) -> str:
    """Why nobody can tell what a cell reads, not even while it runs; empty: it can be told."""
    return next((why for why in links.alone if not why.startswith((*_HEARD, *_HARMLESS))), "")


def evaluates_texts(links: Links) -> bool:
    """Whether what a cell reads is told by texts that it evaluates."""
    return any(why.startswith(_HEARD) for why in links.alone)


def sight_of_all(sight: Sight) -> Sight:
    """What a cell sees that may change anything: all is looked at before it runs."""
    return replace(sight, mutates=sight.mutates | {name for name in sight.names if not name.startswith("__")})


def why_not_kept(expected: Expected, seen: Seen, changed: str, names: frozenset[str]) -> str:
    """Why the result of a cell cannot be found again by its key; empty: it can.

    Args:
        expected: what was known of the cell.
        seen: what it did.
        changed: a file that it read and that was changed meanwhile.
        names: that evaluated texts read, and that are not in its key.
    """
    if seen.problem:
        return f"not all of what it does could be seen ({seen.problem}); name the files with --reads"
    if changed:
        return f"{changed!r}, which it reads, was changed while it ran"
    sight = expected.sight
    for name in sorted(names):
        if not expected.evaluates:
            return (
                f"it evaluates a text that reads {name!r}, which nobody could see before it ran; name it with --reads"
            )
        if sight.before.get(name) is None:
            return f"it evaluates a text that reads {name!r}, which has no fingerprint"
    return ""


def names_read(record: CellRecord, expected: Expected, seen: Seen) -> frozenset[str]:
    """The names of the notebook that evaluated texts read, and that are not in the key of the cell."""
    own = frozenset() if expected.evaluates else record.facts.binds
    return (seen.names & expected.sight.names.keys()) - expected.wanted - own


def warning_of(expected: Expected, seen: Seen) -> str:
    """What may be in a result without anybody having seen it; empty: nothing is known to."""
    if seen.command and not expected.counted:
        return f"starts a process ({seen.command!r}); files that it reads are not seen: name them with --reads"
    if expected.hides_files and not seen.files:
        return "reads files that could not be seen; name them with --reads, or it is taken whatever is in them"
    return ""


def as_seen(expected: Expected, names: frozenset[str]) -> Sight:
    """What the cell saw; of what it might have changed, that has a fingerprint or was read."""
    sight = expected.sight
    if not expected.evaluates:
        return sight
    return replace(sight, mutates=frozenset(one for one in sight.mutates if one in names or sight.before.get(one)))


def added(expected: Expected, seen: Seen, names: frozenset[str], *, is_cached: bool) -> tuple[dict[str, Any], str]:
    """What is added to the reference to a result, and a file that was changed meanwhile."""
    most_read = None if is_cached else MOST_READ
    reads, changed = read_files(seen, expected.counted, Path.cwd(), most_read=most_read)
    more: dict[str, Any] = {READ: reads} if reads else {}
    if names:
        more[EVALUATED] = {name: expected.sight.before.get(name) for name in sorted(names)}
    return more, changed


def why_other(reference: Mapping[str, Any], sight: Sight, secret_key: bytes) -> str:
    """What is not as it was when a result was made, which only its run could tell; empty: all is."""
    file = changed_file(reference.get(READ, {}), Path.cwd())
    if file is not None:
        return f"{file!r}, which it read then, is not what it was"
    for name, before in reference.get(EVALUATED, {}).items():
        if name not in sight.names:
            return f"{name!r}, which it read then, is not there"
        now = sight.before[name] if name in sight.before else print_or_none(sight, sight.names[name], secret_key)
        if now != before:
            return f"{name!r}, which it read then, is not what it was"
    return ""
