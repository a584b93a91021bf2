"""What is odd in the JSON of a notebook and keeps nothing from running: metadata of the wrong kind, doubled ids and tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ONLY_ONE = ("parameters", "injected-parameters")
"""Tags of which the first cell counts."""
NO_KERNEL = "Its metadata name no kernel."
MOST_CELLS = 5
MOST_SHOWN = 40
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def oddities_in(known: Mapping[str, Any]) -> list[str]:
    """A sentence for each oddity, with the numbers of its cells, counted from 1 among all cells.

    Args:
        known: the JSON of a notebook in nbformat 4, as it stands in its file.

    >>> oddities_in({"metadata": {"kernelspec": "python3"}, "cells": []})
    ["Its kernelspec is a text ('python3'), not an object: it does not count."]
    """
    cells = known.get("cells")
    found = list(_of_the_notebook(known))
    if isinstance(cells, list):
        numbered = [(number, cell) for number, cell in enumerate(cells, 1) if isinstance(cell, dict)]
        found += _of_metadata(numbered)
        found += _of_tags(numbered)
        has_ids = known.get("nbformat") == 4 and known.get("nbformat_minor", 0) >= 5
        found += _of_ids(numbered) if has_ids else []
    return found


def _of_the_notebook(known: Mapping[str, Any]) -> Iterator[str]:
    metadata = known.get("metadata")
    if not isinstance(metadata, dict):
        what = f"are {_shown(metadata)}, not an object" if "metadata" in known else "are missing"
        yield f"Its metadata {what}: none counts, so it names no kernel."
        return
    for name in ("kernelspec", "language_info"):
        if name in metadata and not isinstance(metadata[name], dict):
            yield f"Its {name} is {_shown(metadata[name])}, not an object: it does not count."
    spec = metadata.get("kernelspec")
    if isinstance(spec, dict) and spec.get("name") is not None and not isinstance(spec["name"], str):
        yield f"Its kernelspec has {_shown(spec['name'])} as a name, which is no text."
    elif "kernelspec" not in metadata or (isinstance(spec, dict) and spec.get("name") is None):
        yield NO_KERNEL


def _of_metadata(cells: Sequence[tuple[int, Any]]) -> Iterator[str]:
    odd = [number for number, cell in cells if "metadata" in cell and not isinstance(cell["metadata"], dict)]
    if odd:
        yield f"The metadata of {_cells(odd)} {_are(odd)} no object: none counts, nor do tags."


def _of_tags(cells: Sequence[tuple[int, Any]]) -> Iterator[str]:
    tagged: dict[str, list[int]] = {}
    for number, cell in cells:
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list):
            others = [tag for tag in tags if not isinstance(tag, str)]
            if others:
                yield f"Among the tags of cell {number} is {_shown(others[0])}, which is no text: it does not count."
            for tag in {tag for tag in tags if isinstance(tag, str)}:
                tagged.setdefault(tag, []).append(number)
        elif tags is not None:
            hint = f" Write [{json.dumps(tags)}]." if isinstance(tags, str) else ""
            yield f"The tags of cell {number} are {_shown(tags)}, not a list: they do not count.{hint}"
    for tag in ONLY_ONE:
        if len(several := tagged.get(tag, [])) > 1:
            yield f"{_cells(several).capitalize()} are tagged {tag!r}: only the first of them counts."


def _of_ids(cells: Sequence[tuple[int, Any]]) -> Iterator[str]:
    known: dict[str, list[int]] = {}
    missing: list[int] = []
    for number, cell in cells:
        own = cell.get("id")
        if isinstance(own, str) and own:
            known.setdefault(own, []).append(number)
        else:
            missing.append(number)
    for own, several in known.items():
        if len(several) > 1:
            yield f"{_cells(several).capitalize()} have the same id {own!r}: all but the first get another one."
    if missing:
        yield f"{_cells(missing).capitalize()} {'has' if len(missing) == 1 else 'have'} no id that is a text."


def _cells(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"cell {numbers[0]}"
    if len(numbers) > MOST_CELLS:
        return f"cells {', '.join(map(str, numbers[:MOST_CELLS]))} and {len(numbers) - MOST_CELLS:,} more"
    return f"cells {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _are(numbers: Sequence[int]) -> str:
    return "is" if len(numbers) == 1 else "are"


def _shown(value: Any) -> str:
    """A value of JSON: its kind and, where it is short, itself."""
    kind = _KINDS.get(type(value), "a number")
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return kind if value is None or len(text) > MOST_SHOWN else f"{kind} ({text})"
