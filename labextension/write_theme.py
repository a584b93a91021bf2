"""Writes src/theme/: the states' words, glyphs and colours for the browser, from the one place in Python that has them.

`python labextension/write_theme.py` after a change there; a test tells when it was forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path

from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.table import GRAVITY
from notebook_flows.views.theme import class_of, look_of, stylesheet

FOLDER = Path(__file__).parent / "src" / "theme"
SOURCE = "Written by write_theme.py from notebook_flows/views/theme.py and core/lifecycle.py: change those, not this."


def written() -> dict[str, str]:
    """{name of a file: its content}."""
    return {"states.generated.ts": _typescript(), "states.generated.css": _css()}


def _typescript() -> str:
    rows = {int(state): _row(state) for state in S}
    lines = "".join(f"  {number}: {json.dumps(row, ensure_ascii=False)},\n" for number, row in rows.items())
    numbers = "".join(f"  {state.name}: {int(state)},\n" for state in S)
    return (
        f"// {SOURCE}\n\n"
        "export interface StateFacts {\n"
        "  readonly word: string;\n  readonly glyph: string;\n  readonly className: string;\n"
        "  readonly isFinal: boolean;\n  readonly isSuccessful: boolean;\n  readonly isFailed: boolean;\n}\n\n"
        f"export const S = {{\n{numbers}}} as const;\n\n"
        f"export const STATES: Readonly<Record<number, StateFacts>> = {{\n{lines}}};\n\n"
        "/** What people want to be told first. */\n"
        f"export const GRAVITY: readonly number[] = {json.dumps([int(state) for state in GRAVITY])};\n\n"
        f"export const KINDS: readonly string[] = {json.dumps([kind.value for kind in Kind])};\n"
    )


def _row(state: S) -> dict[str, object]:
    facts = facts_of(state)
    return {
        "word": facts.word,
        "glyph": facts.glyph,
        "className": class_of(state),
        "isFinal": facts.is_final,
        "isSuccessful": facts.is_successful,
        "isFailed": facts.is_failed,
    }


def _css() -> str:
    rules = []
    for state in (None, *S):
        look, name = look_of(state), class_of(state)
        var = "--nbflow-" + name.removeprefix("state-")
        rules.append(
            f".nbflow-chip.{name} {{ background: var({var}-fill, {look.fill}); color: var({var}-ink, {look.ink});"
            f" border: {min(look.points, 2):g}px {look.dash} var({var}-border, {look.border}) }}\n"
            f".nbflow-bar.{name} {{ fill: var({var}-fill, {look.fill}); stroke: var({var}-border, {look.border}) }}"
        )
    return f"/* {SOURCE} */\n{stylesheet()}" + "\n".join(rules) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in written().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
