"""What task cells have made, kept beyond the life of their kernel: values by name, and what stood below the cell."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import FlowError, StoreError
from notebook_flows.fingerprints import Unhashable
from notebook_flows.fingerprints.cells import value_print
from notebook_flows.notebook.attached import MEDIA_TYPE
from notebook_flows.notebook.secrets import values_given
from notebook_flows.session.handback import NotInPlace, contents_of, put_into
from notebook_flows.session.namespace import HISTORY, TaskNames
from notebook_flows.session.parcels import Packing, Parcel, Place, UnreadableValue, UnsendableValue
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType, FunctionType

    from notebook_flows.store.keeping import ResultStore

VERSION = 1
"""Of what is written of a cell."""
CHANGED = "<- "
"""Stands before the names of inputs that the cell has changed."""
NEVER_KEPT = frozenset({"application/vnd.jupyter.widget-view+json"})
"""Forms of outputs that mean nothing in another kernel."""


class NotUsable(FlowError):  # noqa: N818 - the sentence that people read
    """What was kept of a cell cannot be used here; says why."""


class Recalled(NamedTuple):
    """What was kept of a cell.

    Attributes:
        outputs: as the notebook format has them.
    """

    values: CellValues
    outputs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one attempt of a cell sees, and what it is to leave.

    Attributes:
        names: the notebook's names, as the cell sees them.
        home: the notebook's namespace.
        needed: names that other cells read from it.
        mutates: inputs whose objects it may change.
        codes: what it runs.
        before: name of ``mutates`` -> the fingerprint of its value before the cell ran; None: it has none.
    """

    names: Mapping[str, Any]
    home: dict[str, Any]
    needed: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    codes: tuple[CodeType, ...] = ()
    before: dict[str, str | None] = field(default_factory=dict)

    def globals_of(self, function: FunctionType) -> Mapping[str, Any]:
        """Where the global names of a function are looked up: those of the notebook's mean what the cell sees."""
        own = function.__globals__
        return self.names if self.is_ours(own) else own

    def is_ours(self, names: dict[str, Any]) -> bool:
        """Whether these globals are the notebook's, or those of one of its tasks."""
        return names is self.home or (isinstance(names, TaskNames) and names.home is self.home)


def sight_of(
    values: Mapping[str, Any],
    home: dict[str, Any],
    *,
    absent: frozenset[str] = frozenset(),
    needed: frozenset[str] = frozenset(),
    mutates: frozenset[str] = frozenset(),
    codes: tuple[CodeType, ...] = (),
) -> Sight:
    """What an attempt sees that gets these values, where all other names are as in the notebook."""
    names = {name: value for name, value in home.items() if name not in absent and not HISTORY.fullmatch(name)}
    names.update(values)
    return Sight(names=names, home=home, needed=needed, mutates=mutates, codes=codes)


def look_before(sight: Sight, secret_key: bytes) -> None:
    """Note how the objects are that the cell may change, before it runs."""
    for name in sight.mutates & sight.names.keys():
        sight.before[name] = print_or_none(sight, sight.names[name], secret_key)


def kept(
    store: ResultStore, sight: Sight, values: CellValues, outputs: Sequence[Mapping[str, Any]], secret_key: bytes
) -> dict[str, Any]:
    """Keep what a cell has made.

    Returns:
        As `engine.ports.ResultKeeper.keep` does: ``result``, with ``content``, and ``inline``; or ``why`` it is not kept.
    """
    if values.left_behind.keys() & sight.needed:
        name = min(values.left_behind.keys() & sight.needed)
        return {"why": f"{name!r} stayed in the process that made it: {values.left_behind[name]}."}
    changed = _changed(sight, values, secret_key)
    try:
        parcel, bound, classes = _packed(sight, values, changed)
    except UnsendableValue as problem:
        kind, error = type(problem.value), problem.error
        what = problem.name.removeprefix(CHANGED)
        return {
            "why": f"{what!r}, a {kind.__module__}.{kind.__qualname__}, cannot be pickled "
            f"({type(error).__name__}: {error})."
        }
    shown = [_plain(output) for output in outputs if not _carries_artifact(output)]
    if _holds_secret(parcel.data, shown):
        return {"why": "the value of a secret is in it."}
    told = {
        "version": VERSION,
        "names": list(parcel.names),
        "data": parcel.data,
        "deleted": sorted(values.deleted),
        "left_out": sorted(values.bound.keys() - bound.keys()),
        "outputs": json.dumps(shown),
    }
    try:
        done = store.keep(told)
    except StoreError as error:  # the task has succeeded all the same
        return {"why": str(error)}
    content = _content(sight, bound, changed, values.deleted, secret_key) or f"stored {done.reference['sha256']}"
    reference = {**done.reference, "content": content, "cell": VERSION}
    if classes:
        reference["classes"] = sorted(classes)
    return {"result": reference, "inline": done.inline}


def recalled(store: ResultStore, reference: Mapping[str, Any], inline: bytes | None, sight: Sight) -> Recalled:
    """What was kept of a cell, for the notebook as it is now.

    Raises:
        NotUsable: it is gone, damaged, or does not fit any more.
    """
    if reference.get("cell") != VERSION:
        raise NotUsable("it was kept in another form")
    try:
        told = store.load(reference, inline)
    except StoreError as error:
        raise NotUsable(str(error).rstrip(".")) from error
    parcel = Parcel(tuple(told["names"]), told["data"])
    missing = sight.needed - set(parcel.names) - set(told["deleted"])
    if "left_out" in told:  # what it has not bound at all comes from above
        missing &= set(told["left_out"])
    if missing:
        raise NotUsable(f"{min(missing)!r}, which another cell reads, was not kept")
    try:
        values = parcel.opened(Place(sight.home, sight.names))
    except UnreadableValue as problem:
        raise NotUsable(
            f"{problem.name!r} cannot be read here ({type(problem.error).__name__}: {problem.error})"
        ) from problem.error
    return Recalled(
        CellValues(
            bound={name: value for name, value in values.items() if not name.startswith(CHANGED)},
            deleted=frozenset(told["deleted"]),
            handed_back={
                name.removeprefix(CHANGED): value for name, value in values.items() if name.startswith(CHANGED)
            },
        ),
        [one for one in json.loads(told["outputs"]) if not _carries_artifact(one)],
    )


def with_changes(values: CellValues, sight: Sight) -> CellValues:
    """The values, with what the cell had changed put into the objects that are here, as far as that can be."""
    back = {name: _changed_in_place(sight.names.get(name), value) for name, value in values.handed_back.items()}
    return replace(values, handed_back=back) if back else values


def _changed_in_place(here: Any, value: Any) -> Any:
    if type(here) is not type(value):
        return value
    try:
        return here if put_into(here, contents_of(value)) else value
    except NotInPlace:
        return value


def marked(outputs: Sequence[Mapping[str, Any]], run_id: str) -> list[Mapping[str, Any]]:
    """Outputs that are shown again, with the run that they are from in their metadata, where they have any."""
    return [
        {**output, "metadata": {**output["metadata"], "notebook_flows": {"cached": run_id}}}
        if "metadata" in output
        else output
        for output in outputs
    ]


# -- what is in it ---------------------------------------------------------------------------------------------------------


def _changed(sight: Sight, values: CellValues, secret_key: bytes) -> dict[str, Any]:
    """The inputs that the cell has changed, as they are now."""
    found = {}
    for name in (sight.mutates & sight.names.keys()) - values.bound.keys():
        now = values.handed_back.get(name, sight.names[name])
        before = sight.before.get(name)
        if before is None or print_or_none(sight, now, secret_key) != before:
            found[name] = now
    return found


def _packed(
    sight: Sight, values: CellValues, changed: Mapping[str, Any]
) -> tuple[Parcel, dict[str, Any], frozenset[str]]:
    """All that can be written, what is in it, and the classes of the notebook that it names; what nobody reads may be left out.

    Raises:
        UnsendableValue: what somebody needs cannot be written.
    """
    classes = {
        id(value): name
        for name, value in sight.names.items()
        if isinstance(value, type) and value.__module__ == "__main__" and name not in values.bound
    }
    wanted = dict(values.bound)
    while True:
        packing = Packing(sight.is_ours, named_classes=classes)
        try:
            for name in sorted(wanted):
                packing.add(name, wanted[name])
            for name in sorted(changed):
                packing.add(f"{CHANGED}{name}", changed[name])
        except UnsendableValue as problem:
            if problem.name not in wanted or problem.name in sight.needed:
                raise
            del wanted[problem.name]
            continue
        return packing.parcel(), wanted, frozenset(packing.named)


def _content(
    sight: Sight, bound: Mapping[str, Any], changed: Mapping[str, Any], deleted: frozenset[str], secret_key: bytes
) -> str | None:
    """The fingerprint of what was made; None: it cannot be told."""
    hashing = blake2b(digest_size=16)
    for tag, values in (("bound", bound), ("changed", changed)):
        for name in sorted(values):
            told = print_or_none(sight, values[name], secret_key)
            if told is None:
                return None
            hashing.update(f"{tag} {name} {told}\n".encode())
    hashing.update(repr(sorted(deleted)).encode())
    return hashing.hexdigest()


def print_or_none(sight: Sight, value: Any, secret_key: bytes) -> str | None:
    """The fingerprint of a value, where functions see what the cell sees; None: it has none."""
    try:
        return value_print(value, secret_key=secret_key, globals_of=sight.globals_of)
    except Exception:  # Unhashable; and what a value of the user's own raises when it is looked at
        return None


def _plain(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output as JSON, without what means nothing elsewhere."""
    found = {key: value for key, value in output.items() if key != "transient"}
    if "data" in found:
        found["data"] = {mime: one for mime, one in found["data"].items() if mime not in NEVER_KEPT}
    return found


def _carries_artifact(output: Mapping[str, Any]) -> bool:
    """Whether an output is an artifact on its way to the runner: it stays with the run in which it was attached."""
    return output.get("output_type") == "display_data" and MEDIA_TYPE in output.get("data", {})


def _holds_secret(data: bytes, outputs: Sequence[Mapping[str, Any]]) -> bool:
    told = [value.encode("utf-8", "surrogatepass") for value in values_given() if value]
    shown = json.dumps(outputs, ensure_ascii=False).encode("utf-8", "surrogatepass") if told else b""
    return any(one in data or one in shown for one in told)


__all__ = ["NotUsable", "Recalled", "Sight", "Unhashable", "kept", "look_before", "recalled", "sight_of"]
