"""Whose work it is that a file is opened, by where it lies and by who opens it: the cell's, or Python's, a library's or ours."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from notebook_flows.fingerprints.libraries import is_library_file

if TYPE_CHECKING:
    from types import FrameType

_BETWEEN = frozenset({"pathlib", "os", "shutil", "glob", "tempfile", "io", "tokenize"})
"""Modules that open files for others..."""
_DATA_OF_PACKAGES = "importlib.resources"
"""... as do those whose names begin so."""
_ASIDE = frozenset({"linecache", "importlib", "zipimport", "traceback", "inspect", "runpy", "notebook_flows"})
"""Modules that read sources, or ours."""
_SYSTEM = ("proc", "sys", "dev", "usr", "etc", "lib", "lib64", "bin", "sbin", "System", "Library")
_OF_SYSTEM = tuple(f"/{one}/" for one in _SYSTEM)
_HOME = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where nobody knows it
_OF_HOME = tuple(os.path.join(_HOME, one, "") for one in (".cache", ".config", ".ipython", ".jupyter"))  # noqa: PTH118 - the same
_FROZEN = "<frozen importlib"
_BY_NAME = frozenset({"import_module", "reload"})
_OF_LOADERS = frozenset({"exec_module", "load_module"})
_OF_IMPORTS = re.compile(r"/__pycache__(?:/|$)|\.pyc$")


def is_aside(path: str) -> bool:
    """Whether a file is the system's, a library's, or what imports make; or one that libraries keep for themselves."""
    return path.startswith((*_OF_SYSTEM, *_OF_HOME)) or is_library_file(path) or bool(_OF_IMPORTS.search(path))


def opens_for_itself(frame: FrameType) -> bool:
    """Whether it is our own work, or Python's, and not the cell's."""
    back: FrameType | None = frame
    while back is not None and ((module := module_of(back)) in _BETWEEN or module.startswith(_DATA_OF_PACKAGES)):
        back = back.f_back
    if back is None:
        return False
    return module_of(back).partition(".")[0] in _ASIDE or _is_frozen(back)


def is_imported_by_name(frame: FrameType) -> bool:
    """Whether a module is loaded in a way that no ``import`` statement tells, such as ``importlib.import_module(name)``."""
    back: FrameType | None = frame
    while back is not None and module_of(back) != "__main__":
        above = back.f_back
        if back.f_code.co_name in _BY_NAME and module_of(back) == "importlib":
            return True
        if back.f_code.co_name in _OF_LOADERS and _is_frozen(back) and above is not None and not _is_frozen(above):
            return True
        back = above
    return False


def _is_frozen(frame: FrameType) -> bool:
    """Whether it is one of the frames of an import."""
    return frame.f_code.co_filename.startswith(_FROZEN)


def module_of(frame: FrameType) -> str:
    """The name of the module whose code it is."""
    return str(frame.f_globals.get("__name__", ""))
