"""Where things are printed: what was asked for on stdout, all else on stderr; and how states look in a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.styled import style_of
from notebook_flows.views.table import GRAVITY, glyph_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from rich.table import Table

WIDE = 1000
"""Columns where nobody looks at a terminal: a pipe or a file, whose lines nothing breaks."""

IN_A_NOTEBOOK = 100
"""Columns below a cell."""


def stdout() -> Console:
    """For what was asked."""
    return _console(sys.stdout, is_for_errors=False)


def stderr() -> Console:
    """For progress, messages and mistakes. A page has no two streams, and paints one of them red: there they are one."""
    if _is_notebook():
        return stdout()
    return _console(sys.stderr, is_for_errors=True)


def _console(stream: TextIO, *, is_for_errors: bool) -> Console:
    width = None
    if not is_terminal(stream) and "COLUMNS" not in os.environ:
        width = IN_A_NOTEBOOK if _is_notebook() else WIDE
    return _Steady(
        stderr=is_for_errors,
        width=width,
        force_jupyter=False,  # else each line would be an output of its own
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def _is_notebook() -> bool:
    """Whether the page below a cell is the screen."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class _Steady(Console):
    """A console whose reader may go away, as ``| head`` does: what runs goes on, unheard."""

    def on_broken_pipe(self) -> None:
        """Write the rest to nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it."""
    return stream is not None and not stream.closed and stream.isatty()


def flush_stdout() -> None:
    """Have what was printed arrive."""
    if sys.stdout is not None:  # as it is where nobody has opened it: `>&-`
        sys.stdout.flush()


def say_note(text: str) -> None:
    """Print a note on stderr. On a terminal its lines end between words; elsewhere it is one line."""
    told = f"Note: {text}"
    if is_terminal(sys.stderr):
        told = textwrap.fill(told, width=stderr().width, break_long_words=False, break_on_hyphens=False)
    click.echo(told, err=True)


def can_redraw(console: Console) -> bool:
    """Whether lines that are there already can be drawn anew: on a terminal that is not a dumb one."""
    return is_terminal(sys.stderr) and console.is_terminal and not console.is_dumb_terminal


def glyph(state: S, encoding: str) -> Text:
    """The state's glyph, coloured."""
    return Text(glyph_of(state, encoding), style=style_of(state))


def word(state: S, encoding: str) -> Text:
    """The state's glyph and word, coloured."""
    return Text(f"{glyph_of(state, encoding)} {facts_of(state).word}", style=style_of(state))


def print_table(console: Console, table: Table) -> None:
    """Print a table; where nobody looks at a terminal, without the blanks that end its lines."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)


def ended(state: S) -> str:
    """How a run has ended, as it goes on after its name.

    >>> ended(S.SUCCESS), ended(S.TIMED_OUT)
    ('succeeded', 'timed out')
    """
    words = {S.SUCCESS: "succeeded", S.CANCELLED: "was cancelled", S.SKIPPED: "was skipped", S.PAUSED: "is paused"}
    return words.get(state, facts_of(state).word)


def short_counts(counts: Mapping[S, int], encoding: str) -> Text:
    """Counts as they fit into a table: a glyph and a number, states of one glyph together."""
    told: dict[str, Text] = {}
    sums: dict[str, int] = {}
    for state in GRAVITY:
        if counts.get(state):
            mark = glyph_of(state, encoding)
            sums[mark] = sums.get(mark, 0) + counts[state]
            told[mark] = Text(f"{mark} {sums[mark]:,}", style=style_of(state))
    return Text("  ").join(told.values())


def carried(text: str, encoding: str) -> str:
    """The text with what this encoding cannot carry replaced.

    >>> carried("naïve…", "ascii")
    'na?ve~'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("…", "~").encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "replace").decode("ascii")
    return text
