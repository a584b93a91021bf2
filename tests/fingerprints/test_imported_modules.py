"""Modules of one's own that a function imports: whatever of them it may use counts, and only as it is loaded."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import pytest
from written_functions import key_of_call, module_of

from notebook_flows.fingerprints import Unhashable
from notebook_flows.fingerprints.cells import import_print, imports_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = {
    "__init__.py": "RATE = 1\n",
    "helpers.py": "LIMIT = 1\n",
    "uses.py": "from . import helpers\n\ndef g():\n    return helpers.LIMIT\n",
    "deep/__init__.py": "",
    "deep/down.py": "from .. import RATE\n",
}

IMPORTS = {
    # what a function says, and the file of which another text is to change its key
    "from kitchen import helpers\n    return helpers.LIMIT": "helpers.py",
    "import kitchen.helpers\n    return kitchen.RATE": "__init__.py",
    "from kitchen.uses import g\n    return g()": "helpers.py",
    "from kitchen.deep import down\n    return down.RATE": "deep/down.py",
    "from kitchen.deep.down import RATE\n    return RATE": "__init__.py",
    "import importlib\n    return importlib.import_module('kitchen.helpers').LIMIT": "helpers.py",
    "return __import__('kitchen').RATE": "__init__.py",
}


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of one's own, that nobody has loaded."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "kitchen"
    (folder / "deep").mkdir(parents=True)
    for name, text in PACKAGE.items():
        (folder / name).write_text(text)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "kitchen"]:
        del sys.modules[name]


@pytest.mark.parametrize("said", IMPORTS)
def test_another_text_of_a_module_that_a_function_may_use_changes_its_key(
    said: str, kitchen: Path, tmp_path: Path
) -> None:
    function = module_of(tmp_path, f"def f():\n    {said}\n").f
    before = key_of_call(function)
    file = kitchen / IMPORTS[said]

    file.write_text(f"{file.read_text()}OTHER = 2\n")

    assert key_of_call(function) != before


@pytest.mark.parametrize(
    "said", ["from kitchen import helpers", "import kitchen.helpers", "from kitchen.uses import g"]
)
@pytest.mark.parametrize("is_here", [True, False], ids=["here", "in another process"])
def test_another_text_of_a_module_that_a_cell_may_use_changes_what_it_is_made_of(
    said: str, is_here: bool, kitchen: Path, tmp_path: Path
) -> None:
    (imported,) = imports_of(said)
    folder = None if is_here else tmp_path
    before = import_print(imported, folder)

    (kitchen / "helpers.py").write_text("LIMIT = 2\n")

    assert import_print(imported, folder) != before


def test_a_module_that_is_not_imported_does_not_count(kitchen: Path, tmp_path: Path) -> None:
    function = module_of(tmp_path, "def f():\n    from kitchen.deep import down\n    return down.RATE\n").f
    before = key_of_call(function)

    (kitchen / "helpers.py").write_text("LIMIT = 2\n")

    assert key_of_call(function) == before


EDITS = {
    "a constant": ("RATE = 1", "RATE = 2"),
    "a method": ("return 1  # of a method", "return 2"),
    "a property": ("return 1  # of a property", "return 2"),
    "what a decorator has wrapped": ("return 1  # wrapped", "return 2"),
    "a value that is worked out": ("int('1')", "int('2')"),
    "in a table": ("'of the table': 1", "'of the table': 2"),
}
TEXT = """
import functools
RATE = 1
WORKED_OUT = int('1')
TABLE = {'of the table': 1}
class Model:
    def fit(self):
        return 1  # of a method
    @property
    def rate(self):
        return 1  # of a property
@functools.lru_cache
def known():
    return 1  # wrapped
"""


@pytest.mark.parametrize("is_seen_before", [True, False], ids=["seen before", "seen only then"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_module_that_was_edited_after_it_was_loaded_gives_no_key_until_it_is_loaded_anew(
    edit: str, is_seen_before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "edited_later.py"
    file.write_text(TEXT)
    module = importlib.import_module("edited_later")
    function = module_of(tmp_path, "def f():\n    import edited_later\n    return edited_later\n").f
    before = key_of_call(function) if is_seen_before else None
    old, new = EDITS[edit]
    assert old in TEXT
    file.write_text(TEXT.replace(old, new))
    os.utime(file, (1_600_000_000, 1_600_000_000))  # so that Python sees that it is another text of the same length

    with pytest.raises(Unhashable, match="'edited_later' was changed since it was loaded"):
        key_of_call(function)

    importlib.reload(module)
    assert key_of_call(function) not in {before, None}
    del sys.modules["edited_later"]


def test_a_module_that_was_saved_again_as_it_was_has_the_key_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "saved_again.py"
    file.write_text(TEXT)
    importlib.import_module("saved_again")
    function = module_of(tmp_path, "def f():\n    import saved_again\n    return saved_again\n").f
    os.utime(file, (1_600_000_000, 1_600_000_000))

    assert key_of_call(function) == key_of_call(function)

    del sys.modules["saved_again"]


def test_names_that_a_module_gives_other_values_itself_are_not_taken_for_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "counting.py").write_text(
        "COUNT = 0\nTOTAL = 1\nTOTAL += 1\nTOTAL = 5\n"
        "try:\n    import none_such\n    HAS = True\nexcept ImportError:\n    HAS = False\n"
        "def count():\n    global COUNT\n    COUNT += 1\n"
    )
    importlib.import_module("counting").count()
    function = module_of(tmp_path, "def f():\n    import counting\n    return counting.COUNT\n").f

    assert key_of_call(function) == key_of_call(function)

    del sys.modules["counting"]
