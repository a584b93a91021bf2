"""Secrets on the command line: where they come from, so that they stand in no list of processes and no history."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from notebook_flows.cli.screen import is_terminal
from notebook_flows.cli.textfiles import LONGEST_OF_LINES, text_of_file
from notebook_flows.core.secret import Secret
from notebook_flows.errors import ParameterError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from notebook_flows.notebook.parameters import NotebookParameter

PROMPT = "@prompt"


def secret_from(name: str, text: str) -> Secret | None:
    """The secret that a parameter's text points to: ``@env:NAME``, ``@file:PATH`` or ``@prompt``; None: it is none.

    Raises:
        ParameterError: there is nothing where it points to.
    """
    if text == PROMPT:
        return asked_for(name)
    kind, colon, where = text.partition(":")
    if not colon or kind not in {"@env", "@file"}:
        return None
    if kind == "@file":
        try:
            return Secret(text_of_file(Path(where), most_bytes=LONGEST_OF_LINES).rstrip("\n"))
        except ValueError as why:
            raise ParameterError(f"Secret {name!r}: the file {where} cannot be read: {why}.") from None
    if where not in os.environ:
        likely = did_you_mean(where, os.environ)
        raise ParameterError(f"Secret {name!r}: there is no environment variable {where!r}.{likely}")
    return Secret(os.environ[where])


def asked_for(name: str) -> Secret:
    """The secret that a person types, unseen.

    Raises:
        ParameterError: nobody sits at a terminal.
    """
    if not is_terminal(sys.stdin):
        raise ParameterError(
            f"Secret {name!r} is to be typed, and nobody sits at a terminal. Give it as -p {name}=@env:NAME or "
            f"-p {name}=@file:PATH."
        )
    return Secret(click.prompt(f"Secret {name}", hide_input=True, err=True))


def asked_secrets(declared: Iterable[NotebookParameter], given: Collection[str]) -> dict[str, Secret]:
    """The secrets that a notebook requires and that were not given, typed by a person; none where nobody is there."""
    from notebook_flows.notebook.secrets import is_secret_kind

    if not is_terminal(sys.stdin):
        return {}
    wanted = [one.name for one in declared if one.is_required and is_secret_kind(one.kind) and one.name not in given]
    return {name: asked_for(name) for name in wanted}


def warn_of_open_secret(name: str) -> None:
    """Say that a secret was typed where others can read it."""
    click.echo(
        f"Warning: secret {name!r} stands in the command, which other users can see in the list of processes and the "
        f"shell keeps in its history. Write -p {name}=@env:NAME, @file:PATH or @prompt.",
        err=True,
    )
