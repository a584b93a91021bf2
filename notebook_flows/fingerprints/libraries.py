"""Which modules are somebody's library, known by its version, and which are the user's own code, known by its text."""

from __future__ import annotations

import site
import sys
import sysconfig
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_OURS = "notebook_flows"


@cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    found |= {str(Path(one).resolve()) for one in found}
    if site.ENABLE_USER_SITE:
        found.add(site.getusersitepackages())
    return tuple(f"{one}/" for one in sorted(found))


@lru_cache(maxsize=16_384)
def is_library_file(path: str) -> bool:
    """Whether a file belongs to Python itself or to an installed package; an editable install is the user's own code.

    >>> is_library_file("/home/ada/project/helpers.py"), is_library_file("<ipython-input-3>")
    (False, False)
    """
    if "/site-packages/" in path or "/dist-packages/" in path or path.startswith("<frozen "):
        return True
    return path.startswith(_library_folders())


def library_of(module_name: str | None) -> str | None:
    """The library that a module belongs to, with its version; None: the module is the user's own.

    >>> library_of("collections.abc") == f"python {PYTHON}", library_of("__main__")
    (True, None)
    """
    if not module_name or module_name == "__main__":
        return None
    root = module_name.partition(".")[0]
    if root in sys.stdlib_module_names:
        return f"python {PYTHON}"
    if root == _OURS:
        return version_of(root)
    module = sys.modules.get(module_name) or sys.modules.get(root)
    file = getattr(module, "__file__", None)
    if file is None:
        locations = list(getattr(module, "__path__", ()))
        file = f"{locations[0]}/" if locations else None
    if file is None or not is_library_file(str(file)):
        return None
    return version_of(root)


def library_of_module(module: ModuleType) -> str | None:
    """The library of a module object."""
    return library_of(module.__name__)


@cache
def version_of(root: str) -> str:
    """A top-level package and its version."""
    from importlib import metadata

    if root == _OURS:
        from notebook_flows._version import __version__

        return f"{root} {__version__}"
    try:
        return f"{root} {metadata.version(root)}"
    except metadata.PackageNotFoundError:
        pass  # the distribution has another name, as scikit-learn for sklearn
    told: Any = getattr(sys.modules.get(root), "__version__", None)
    if isinstance(told, str):
        return f"{root} {told}"
    owners = metadata.packages_distributions().get(root, ())
    return f"{root} {', '.join(f'{one} {metadata.version(one)}' for one in sorted(set(owners)))}".strip()
