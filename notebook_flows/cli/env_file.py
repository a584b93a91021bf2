"""``--env-file``: variables for the run, from a file of NAME=value lines."""

from __future__ import annotations

import os
from io import StringIO
from typing import TYPE_CHECKING

from notebook_flows.cli.textfiles import LONGEST_OF_LINES, text_of_file
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from pathlib import Path


class EnvFileError(FlowError, ValueError):
    """A file of variables that cannot be read."""


def load_env_file(path: Path) -> list[str]:
    """Set the variables of a file, save those that are set already: the names of those that were.

    Raises:
        EnvFileError: it cannot be read, or a line of it is none; nothing is set then.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        text = text_of_file(path, most_bytes=LONGEST_OF_LINES)
    except ValueError as why:
        raise EnvFileError(f"--env-file {path} cannot be read: {why}.") from None
    bad = [binding.original.line for binding in parse_stream(StringIO(text)) if binding.error]
    if bad:
        raise EnvFileError(f"--env-file {path}: line {bad[0]} is no NAME=value.")
    found = {
        name: value or "" for name, value in dotenv_values(stream=StringIO(text)).items() if name not in os.environ
    }
    os.environ.update(found)
    return list(found)
