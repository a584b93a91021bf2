"""What is recorded of the machine and the code with each run."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType
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
    return {**_versions(), "git_commit": commit, **_begun.get()}


_begun: ContextVar[Mapping[str, str]] = ContextVar("notebook_flows.begun", default=MappingProxyType({}))


@contextmanager
def begun_from(file: str, **how: str | None) -> Iterator[None]:
    """Inside, runs say that they are of this file, so that they can be gone on with.

    Args:
        file: a path; for a flow in Python a colon, and its name.
        how: what was asked for besides, by name, as ``output``, ``cwd`` and ``kernel`` of a notebook; None: nothing.
    """
    token = _begun.set({"file": file, **{name: wish for name, wish in how.items() if wish is not None}})
    try:
        yield
    finally:
        _begun.reset(token)


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
