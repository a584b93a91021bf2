"""Functions that tests write into files of their own, as users write them into modules and cells."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from notebook_flows.core.task import FunctionTask
from notebook_flows.fingerprints import Fingerprints, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_numbers = itertools.count()


def module_of(folder: Path, source: str, name: str | None = None) -> Any:
    """Write a module, and load it."""
    name = name or f"written_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(dedent(source))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def key_of_call(function: Any, arguments: Mapping[str, Any] | None = None, **declared: str) -> str:
    """The key of a call of a function as a task."""
    prints = Fingerprints(secret_key=b"a key of the tests")
    task = function if hasattr(function, "_signature") else FunctionTask(function)
    inputs = {name: prints.of_value(value) for name, value in (arguments or {}).items()}
    return key_of(prints.of_code(task), inputs, **declared)
