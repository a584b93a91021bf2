"""Modules whose names are looked up in their true homes when they are first asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import did_you_mean
from notebook_flows.prefect._missing import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy(package: str, homes: Mapping[str, str], *, modules: str = "") -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that only passes names on.

    Args:
        package: the module's ``__name__``.
        homes: {module: the names that live there, in one string}; ``new=old`` where the name is another one there.
        modules: names of modules below this one.

    Raises:
        UnavailableError: when a name is asked for that Prefect 1 has there and we do not.
    """
    home_of = {name: f"{package}.{name}" for name in modules.split()}
    for module, names in homes.items():
        for name in names.split():
            new, _, old = name.partition("=")
            home_of[new] = f"{module}:{old or new}"
    here = sys.modules[package]
    here.__all__ = list(home_of)  # type: ignore[attr-defined] # so that star imports work

    def look_up(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            refuse(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}.{did_you_mean(name, home_of)}")
        module, _, attribute = home.partition(":")
        found = import_module(module)
        if attribute:
            found = getattr(found, attribute)
        setattr(here, name, found)
        return found

    return look_up
