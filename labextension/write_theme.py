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
    rows = "".join(f"  [{int(state)}, {_row(state)}],\n" for state in S)
    numbers = "".join(f"  {state.name} = {int(state)},\n" for state in S)
    return (
        f"// {SOURCE}\n\n"
        "export interface StateFacts {\n"
        "  readonly word: string;\n  readonly glyph: string;\n  readonly className: string;\n"
        "  readonly isFinal: boolean;\n  readonly isFailed: boolean;\n}\n\n"
        f"export enum S {{\n{numbers}}}\n\n"
        f"const ROWS: readonly (readonly [number, string, string, number])[] = [\n{rows}];\n\n"
        "export const STATES: Readonly<Record<number, StateFacts>> = Object.fromEntries(\n"
        "  ROWS.map(([state, word, glyph, flags]) => [\n    state,\n    {\n      word,\n      glyph,\n"
        f'      className: `{class_of(S.PENDING).removesuffix("pending")}${{word.replaceAll(" ", "-")}}`,\n'
        "      isFinal: (flags & 1) !== 0,\n      isFailed: (flags & 2) !== 0,\n"
        "    },\n  ]),\n);\n\n"
        "/** What people want to be told first. */\n"
        f"export const GRAVITY: readonly number[] = {json.dumps([int(state) for state in GRAVITY])};\n\n"
        f"export const KINDS: readonly string[] = {json.dumps([kind.value for kind in Kind])};\n"
    )


def _row(state: S) -> str:
    """Word, glyph, and two flags as one number."""
    facts = facts_of(state)
    flags = facts.is_final + 2 * facts.is_failed
    return ", ".join(json.dumps(one, ensure_ascii=False) for one in (facts.word, facts.glyph, flags))


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
