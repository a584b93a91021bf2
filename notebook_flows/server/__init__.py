"""The extension of a Jupyter server: what is clicked while a cell blocks its kernel goes through it to the run's history.

It runs no code of users and reads no results: it looks into the history, and writes what is asked of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add our addresses to a server that starts."""
    from jupyter_server.utils import url_path_join

    from notebook_flows.server.handlers import ADDRESSES

    base_url = server.web_app.settings["base_url"]
    add: Any = server.web_app.add_handlers  # tornado has no types for it
    add(".*$", [(url_path_join(base_url, address), handler) for address, handler in ADDRESSES])
