"""What the analysis says is compared with what cells really read and bind when they run."""

from __future__ import annotations

import json
import os
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from any_order import cells_of
from hypothesis import HealthCheck, assume, given, note, settings, strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from observing import observed
from programs import LINES, NOTEBOOK

from notebook_flows.analysis import analyse, connect

if TYPE_CHECKING:
    from collections.abc import Sequence


def _sources(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


_NEEDS_A_KERNEL = re.compile(r"await |^%%(?!task)|^!|\bnotebook_flows\b", re.MULTILINE)
EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "example_notebooks").glob("*.ipynb"))
    if not any(_NEEDS_A_KERNEL.search(source.replace("%load_ext notebook_flows", "")) for source in _sources(path))
]
_TIMES = float(os.environ.get("NOTEBOOK_FLOWS_EXAMPLES", "1"))
_LAW = settings(
    max_examples=max(1, round(100 * _TIMES)),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class _QuietShell:
    """IPython's shell for cells that run without it: line magics do nothing."""

    def run_line_magic(self, name: str, line: str) -> None:
        """Nothing happens."""


def test_there_are_example_notebooks_to_compare() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_notebooks_read_and_bind_what_was_foreseen(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(path.parent)
    sources = _sources(path)
    links = connect(cells_of([(source, False) for source in sources])).cells
    names: dict[str, Any] = {"get_ipython": _QuietShell, "display": lambda *_, **__: None}
    plain = [source.replace("%%task", "# %%task") for source in sources]

    seen = observed([TransformerManager().transform_cell(source) for source in plain], names)

    for number, cell in enumerate(seen):
        assert cell.reads <= links[f"k{number}"].inputs.keys(), sources[number]
        assert cell.writes <= links[f"k{number}"].outputs, sources[number]
        assert cell.writes >= links[f"k{number}"].outputs - links[f"k{number}"].may_outputs, sources[number]


@_LAW
@given(notebook=NOTEBOOK)
def test_random_notebooks_read_and_bind_what_was_foreseen(notebook: Sequence[tuple[str, bool]]) -> None:
    links = connect(cells_of(notebook)).cells
    try:
        seen = observed([source for source, _ in notebook], {})
    except Exception:
        assume(False)
    note("\n---\n".join(source for source, _ in notebook[1:]))

    for number, cell in enumerate(seen):
        link = links[f"k{number}"]
        assert cell.reads <= link.inputs.keys()
        assert cell.writes <= link.outputs | {"error"}  # the name of a handler is gone at its end
        assert cell.bound >= link.outputs - link.may_outputs


_PIECES = st.sampled_from(
    [
        *LINES,
        "%",
        "%%",
        "!",
        "?",
        "%%task",
        "%%time",
        "\\",
        "(",
        ")",
        "'",
        '"""',
        "\n",
        "    ",
        "@",
        ":",
        "lambda",
        "await ",
        "yield ",
        "{",
        "}",
        "\x00",
        "\N{NO-BREAK SPACE}",
        "global x",
    ]
)


@_LAW
@given(source=st.lists(st.one_of(_PIECES, st.text(string.printable, max_size=5), st.text(max_size=3))).map("".join))
def test_no_text_is_too_odd_to_be_looked_at(source: str) -> None:
    facts = analyse(source)

    assert facts.may_bind <= facts.binds
    connect(cells_of([(source, True), (source, False)]))


@pytest.mark.parametrize(
    "source", ["(" * 3000, "x = " + "-" * 3000 + "1", "[" * 150 + "]" * 150, "x" + ".a" * 3000, "+".join(["x"] * 5000)]
)
def test_deep_nesting_is_opaque_or_understood_and_never_an_error(source: str) -> None:
    facts = analyse(source)

    assert facts.opaque or facts.reads <= {"x"}
