"""Tab behind ``%flow``: commands, options, and the names of tasks and flows."""

from __future__ import annotations

from typing import Any

import click

from notebook_flows.magics.here import Here
from notebook_flows.magics.line import flow_line
from notebook_flows.session.session import session_of

_TAKE_TASKS = frozenset({"run", "explain", "result", "clear", "logs"})
_TAKE_FLOWS = frozenset({"run", "show", "validate"})
_NAMES_BEHIND = frozenset({"--from", "--only"})
_WORDS = {
    "mode": ("eager", "lazy"),
    "--executor": ("threads", "processes", "main"),
    "-x": ("threads", "processes", "main"),
}


def completions(shell: Any, event: Any) -> list[str]:
    """What may come where the cursor is; an IPython hook ``complete_command``.

    Args:
        shell: IPython's.
        event: with ``line``, the text up to the cursor, and ``symbol``, the word that is being typed.
    """
    words = event.line.split()
    if not event.line.endswith((" ", "\t")):
        words = words[:-1]
    found = _after(Here(session=session_of(shell)), words[1:])
    return [one for one in found if one.startswith(event.symbol)]


def _after(here: Here, words: list[str]) -> list[str]:
    if not words:
        return list(flow_line.commands)
    last = words[-1]
    if last in _WORDS:
        return list(_WORDS[last])
    if last in {"-p", "--parameter"}:
        from notebook_flows.magics.parameters import declared_here

        return [f"{one.name}=" for one in declared_here(here)]
    names = _names(here, words[0])
    if last in _NAMES_BEHIND:
        return _tasks(here)
    command = flow_line.commands.get(words[0])
    return [*names, *(_options(command) if command is not None else [])]


def _names(here: Here, command: str) -> list[str]:
    found = _tasks(here) if command in _TAKE_TASKS else []
    return [*found, *here.flows()] if command in _TAKE_FLOWS else found


def _tasks(here: Here) -> list[str]:
    return [f'"{one.name}"' if " " in one.name else one.name for one in here.session.book.tasks()]


def _options(command: click.Command) -> list[str]:
    return [
        name for one in command.params if isinstance(one, click.Option) for name in one.opts if name.startswith("--")
    ]
