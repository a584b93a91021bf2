"""``notebook-flows version``."""

from __future__ import annotations

import platform

import click

from notebook_flows._version import __version__
from notebook_flows.cli.guard import command


@command("version")
def command_line() -> None:
    """Print the versions of notebook_flows, Python and the system."""
    click.echo(
        f"notebook-flows {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
