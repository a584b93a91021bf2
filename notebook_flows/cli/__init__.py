"""The command line: ``notebook-flows``. It translates words into calls and calls into words, and decides nothing."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""As `notebook_flows.cli.exits.Exit` has it."""


def main() -> None:
    """Run the command that ``sys.argv`` names, and end the process with its exit code."""
    try:
        from notebook_flows.cli.app import app
    except KeyboardInterrupt:  # before there is a command that could hear it
        sys.exit(INTERRUPTED)
    app(prog_name="notebook-flows")
