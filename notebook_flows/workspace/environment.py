"""What is recorded of the machine and the code with each run."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def environment() -> dict[str, Any]:
    """What is recorded of the machine with each run."""
    try:
        commit = git_commit(Path.cwd())
    except OSError:  # the working directory is gone
        commit = None
    file = _file.get()
    return {**_versions(), "git_commit": commit, **({"file": file} if file else {})}


_file: ContextVar[str] = ContextVar("notebook_flows.file", default="")


@contextmanager
def begun_from(file: str) -> Iterator[None]:
    """Inside, runs say that they are of a flow in this file: a path, a colon, and the flow's name."""
    token = _file.set(file)
    try:
        yield
    finally:
        _file.reset(token)


@cache
def _versions() -> Mapping[str, Any]:
    return {
        "notebook_flows": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out around a folder, or None; read from git's files, for asking git takes longer."""
    for root in (folder, *folder.parents):
        git = root / ".git"
        try:
            if git.is_file():
                git = root / git.read_text().removeprefix("gitdir: ").strip()
            head = (git / "HEAD").read_text().strip()
            if not head.startswith("ref: "):
                return head
            name = head.removeprefix("ref: ")
            common = git / "commondir"
            base = git / common.read_text().strip() if common.is_file() else git
            loose = base / name
            if loose.is_file():
                return loose.read_text().strip()
            packed = (base / "packed-refs").read_text().splitlines()
            return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
        except (OSError, UnicodeDecodeError):
            continue
    return None
