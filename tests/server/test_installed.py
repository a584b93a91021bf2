"""What `pip install` puts where a Jupyter server looks for extensions."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import notebook_flows

ROOT = Path(__file__).parents[2]


def test_the_file_that_is_installed_names_an_extension_that_can_be_loaded() -> None:
    shared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "shared-data"
    ]
    (source,) = [name for name, place in shared.items() if place == "etc/jupyter"]
    told = json.loads((ROOT / source / "jupyter_server_config.d" / "notebook_flows.json").read_text())

    assert told == {"ServerApp": {"jpserver_extensions": {"notebook_flows": True}}}
    assert notebook_flows._jupyter_server_extension_points() == [{"module": "notebook_flows.server"}]
