"""The command line: ``notebook-flows``. It translates words into calls and calls into words, and decides nothing."""

from __future__ import annotations


def main() -> None:
    """Run the command that ``sys.argv`` names, and end the process with its exit code."""
    from notebook_flows.cli.app import app

    app(prog_name="notebook-flows")
