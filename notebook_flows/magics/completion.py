"""Tab behind ``%flow`` and ``%%task``: commands, options, and the names of tasks, flows and runs."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import click

from notebook_flows.analysis.taskcell import EXECUTORS, OPTION_NAMES
from notebook_flows.errors import FlowError
from notebook_flows.magics.here import Here
from notebook_flows.magics.lastruns import newest_runs
from notebook_flows.magics.line import flow_line
from notebook_flows.session.session import session_of

_TAKE_TASKS = frozenset({"run", "explain", "result", "clear", "logs", "artifacts"})
_TAKE_FLOWS = frozenset({"run", "show", "validate"})
_TAKE_RUNS = frozenset({"resume", "show", "logs", "artifacts"})
_ONCE = frozenset({"result", "resume", "show", "validate", "mode", "help"})
"""Commands that take one word."""
_STANDS_BEHIND = frozenset({"runs", "logs", "artifacts"})
"""Commands of ours that are those of the command line, by the same names."""
_NAMES_BEHIND = frozenset({"--from", "--only", "--needs"})
_WORDS = {"--executor": EXECUTORS, "-x": EXECUTORS}
_OPEN_NAME = re.compile(r"""(?:^|[\s=])(?P<quote>["'])(?P<begun>[^"']*)$""")


def completions(shell: Any, event: Any) -> list[str]:
    """What may come where the cursor is; an IPython hook ``complete_command``.

    Args:
        shell: IPython's.
        event: with ``line``, the text up to the cursor, and ``symbol``, the word that is being typed.
    """
    here = Here(session=session_of(shell))
    if (begun := _OPEN_NAME.search(event.line)) is not None:
        return _closed(here, begun["begun"], begun["quote"], event.symbol)
    words = _words_before(event)
    found = _of_task_line(here, words) if words[:1] == ["%%task"] else _after(here, words[1:])
    return [one for one in found if one.startswith(event.symbol)]


def _words_before(event: Any) -> list[str]:
    """The words that are typed; of ``--only=lo`` the option."""
    words: list[str] = event.line.split()
    if not words or event.line.endswith((" ", "\t")):
        return words
    option, sign, _ = words.pop().partition("=")
    is_value = sign and option.startswith("-") and not event.symbol.startswith("-")
    return [*words, option] if is_value else words


def _closed(here: Here, begun: str, quote: str, symbol: str) -> list[str]:
    """The rest of a name in quotes, from the word on that is being typed."""
    at = len(begun) - len(symbol)
    names = [*(one.name for one in here.session.book.tasks()), *(flow.name for flow in here.flows().values())]
    return [f"{name[at:]}{quote}" for name in dict.fromkeys(names) if name.startswith(begun) and at >= 0]


def _of_task_line(here: Here, words: list[str]) -> list[str]:
    last = words[-1]
    if last in _WORDS:
        return list(_WORDS[last])
    return _tasks(here) if last in _NAMES_BEHIND else [one for one in OPTION_NAMES if one not in words]


def _after(here: Here, words: list[str]) -> list[str]:
    if not words:
        return list(flow_line.commands)
    name, last = words[0], words[-1]
    if last in _WORDS:
        return list(_WORDS[last])
    if last in {"-p", "--parameter"}:
        from notebook_flows.magics.parameters import declared_here

        return [f"{one.name}=" for one in declared_here(here)]
    if last in _NAMES_BEHIND:
        return _tasks(here)
    if last in {"-o", "--output"}:
        return []  # IPython knows files
    options = [one for one in _options(name) if one not in words or one in {"--only", "--parameter"}]
    return [*_names(here, name, [word for word in words[1:] if not word.startswith("-")]), *options]


def _names(here: Here, command: str, given: list[str]) -> list[str]:
    if command in _ONCE and given:
        return []
    if command == "help":
        return list(flow_line.commands)
    if command == "mode":
        return ["eager", "lazy"]
    tasks = _tasks(here) if command in _TAKE_TASKS else []
    flows = list(here.flows()) if command in _TAKE_FLOWS else []
    runs = _runs(here) if command in _TAKE_RUNS and not given else []
    return [one for one in [*tasks, *flows, *runs] if one not in given]


def _tasks(here: Here) -> list[str]:
    return [f'"{one.name}"' if " " in one.name else one.name for one in here.session.book.tasks()]


def _runs(here: Here) -> list[str]:
    try:
        return [row.run_id[:8] for row in newest_runs(here)]
    except FlowError:  # a history that cannot be read has no names to offer
        return []


def _options(name: str) -> list[str]:
    command = _on_the_command_line(name) or flow_line.commands.get(name)
    params = command.params if command is not None else []
    return [one for param in params if isinstance(param, click.Option) for one in param.opts if one.startswith("--")]


def _on_the_command_line(name: str) -> click.Command | None:
    """The command that stands behind one of ours, with its options."""
    if name not in _STANDS_BEHIND:
        return None
    command: click.Command = import_module(f"notebook_flows.cli.{name}_command").command_line
    return command
