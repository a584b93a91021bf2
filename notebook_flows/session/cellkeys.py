"""The key of a task cell's result: what the cell says, and what has flowed into it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.cells import (
    file_print,
    import_print,
    imports_of,
    key_of_cell,
    text_print,
    value_print,
)
from notebook_flows.fingerprints.comparing import asks_which
from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import library_of_module
from notebook_flows.fingerprints.made import files_of, is_on_this_machine
from notebook_flows.fingerprints.names import names_of
from notebook_flows.fingerprints.outside import outside_of
from notebook_flows.fingerprints.readfiles import files_named_by
from notebook_flows.fingerprints.sharing import sharing_print

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from notebook_flows.analysis.connections import Links
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.record import CellRecord


def content_key(
    record: CellRecord, links: Links, sight: Sight, secret_key: bytes, files: Sequence[str] | None = None
) -> str:
    """The key of what a cell is about to make.

    Args:
        record: the cell.
        links: what it takes and gives.
        sight: what it sees.
        secret_key: with which secrets are hashed.
        files: as `files_in_key` gives them, where somebody has looked already.

    Raises:
        Unhashable: a value that it reads has no fingerprint; says which and why.
    """
    counted = files_in_key(record, links, sight) if files is None else files
    return key_of_cell(text_print(record.source), _parts(record, links, sight, secret_key, counted))


def _parts(
    record: CellRecord, links: Links, sight: Sight, secret_key: bytes, files: Sequence[str]
) -> Iterator[Sequence[str]]:
    wanted = names_in_key(record, links)
    for name in sorted(wanted):
        if name not in sight.names:
            continue
        for said, value in _values_of(name, sight.names[name], record, sight):
            try:
                told = value_print(value, secret_key=secret_key, globals_of=sight.globals_of)
            except Unhashable as error:
                raise error.inside(f"{said!r}, which it reads") from None
            yield "name", said, told
    if shared := _shared(record, links, sight, wanted):
        yield "shared", shared
    for one in imports_of(record.source):
        yield "import", one.module, import_print(one)
    for path in files:
        yield "file", path, file_print(path, Path.cwd())


def _values_of(name: str, value: Any, record: CellRecord, sight: Sight) -> Iterator[tuple[str, Any]]:
    """What counts of a name: its value; of a module of one's own, as far as the cell tells, what it takes from there.

    For that may have been given other values since the module was loaded.
    """
    paths: set[tuple[str, ...]] = set()
    if isinstance(value, ModuleType) and library_of_module(value) is None and name not in record.facts.binds:
        paths = {path for code in sight.codes for path in names_of(code).globals if path[0] == name}
    if not paths or any(len(path) == 1 for path in paths):
        yield name, value
        return
    told: dict[str, Any] = {}
    for path in sorted(paths):
        found, said = value, name
        for attribute in path[1:]:
            if (
                not isinstance(found, ModuleType)
                or library_of_module(found) is not None
                or not hasattr(found, attribute)
            ):
                break
            found, said = getattr(found, attribute), f"{said}.{attribute}"
        told[said] = found
    yield from told.items()


def _shared(record: CellRecord, links: Links, sight: Sight, wanted: frozenset[str]) -> str:
    """Which of the objects that a cell sees are one, where that may make a difference to what it makes."""
    seen = {name: sight.names[name] for name in wanted if name in sight.names}
    if links.mutates or asks_which(sight.codes, sight.names, sight.globals_of):
        return sharing_print(seen)
    if not any(record.facts.aliases.values()):
        return ""
    try:
        return sharing_print(seen)  # what it makes may hold what it gets
    except Unhashable:  # too many objects: what shares what among them hardly ever matters to others
        return ""


def names_in_key(record: CellRecord, links: Links) -> frozenset[str]:
    """The names whose values count for a cell."""
    facts = record.facts
    return facts.reads | facts.late | facts.builtins | links.inputs.keys() | links.mutates


def files_in_key(record: CellRecord, links: Links, sight: Sight) -> tuple[str, ...]:
    """The files that count for a cell: those that it names; and, where it does not, those that values name."""
    named = files_of(links.files, record.options.files)
    if not hides_files(links):
        return named
    values = [sight.names[name] for name in names_in_key(record, links) if name in sight.names]
    return tuple(sorted({*named, *files_named_by(values, Path.cwd())}))


def hides_files(links: Links) -> bool:
    """Whether the text of a cell reads files that it does not tell."""
    return any(use.kind == "read" and use.path is None for use in links.files)


def why_not_cached(record: CellRecord, links: Links, sight: Sight) -> str:
    """What a cell visibly has to do with the world outside of the notebook, in a few words; empty: nothing is seen."""
    return why_not_seen_through(record, links) or outside_of(
        sight.codes, sight.names, record.facts.imports, sight.globals_of
    )


def why_not_seen_through(record: CellRecord, links: Links) -> str:
    """The same, as far as the text of the cell and of the functions that it calls tells."""
    facts = record.facts
    if links.alone:
        return f"what nobody can see through ({links.alone[0]})"
    if facts.magics:
        return f"magics ({facts.magics[0]})"
    if links.effects or facts.effects:
        return f"the world outside ({(links.effects or facts.effects)[0]})"
    hidden = sorted((links.hidden_state | facts.hidden_state) - ({"async"} if facts.has_await else set()))
    if hidden:
        return f"state outside of its names ({hidden[0]})"
    if facts.history:
        return f"the history of the session ({min(facts.history)})"
    for use in sorted(links.files, key=str):
        if use.kind != "read":
            return f"files, which it writes ({use.path or 'which, its text does not tell'})"
        if use.path is None or not is_on_this_machine(use.path):
            return f"files that its text does not name ({use.path or 'unknown'})"
    return ""
