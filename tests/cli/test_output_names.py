"""Templates of file names: what is filled in never leaves the template's folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from notebook_flows.core.secret import Secret
from notebook_flows.outputname import OutputNameError, output_named

NOW = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "parameters", "name"),
    [
        ("out.ipynb", {}, "out.ipynb"),
        ("../up/out.ipynb", {}, "../up/out.ipynb"),
        ("out/{name}.ipynb", {}, "out/sales.ipynb"),
        ("{date}/{name}-{run_id}.ipynb", {}, "2026-01-31/sales-0123abcd.ipynb"),
        ("{date:%Y}/{name}.ipynb", {}, "2026/sales.ipynb"),
        ("{n:03d}.ipynb", {"n": 7}, "007.ipynb"),
        ("{{{n}}}.ipynb", {"n": 7}, "{7}.ipynb"),
        ("{region}.ipynb", {"region": "../../etc/passwd"}, "..-..-etc-passwd.ipynb"),
        ("out/{region}.ipynb", {"region": "/etc/passwd"}, "out/-etc-passwd.ipynb"),
        ("out/{region}.ipynb", {"region": "a\x00b\nc\\d"}, "out/a-b-c-d.ipynb"),
        ("out/{region}.ipynb", {"region": ""}, "out/-.ipynb"),
    ],
)
def test_a_template_names_a_file(template: str, parameters: dict[str, object], name: str) -> None:
    found = output_named(template, "reports/sales.ipynb", parameters, "0123abcdef", NOW)

    assert found.as_posix() == name


@given(st.text(), st.text())
def test_no_value_leads_out_of_the_folder(first: str, second: str) -> None:
    found = output_named("out/{a}/x{b}.ipynb", "n.ipynb", {"a": f"-{first}", "b": second}, "0" * 32, NOW)

    assert len(found.parts) == 3
    assert found.parts[0] == "out"
    assert not {".", ".."} & set(found.parts)
    assert len(str(found)) < 200
    assert found.resolve().is_relative_to(Path("out").resolve())


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{regoin}.ipynb", "Did you mean 'region'?"),
        ("{region.__class__}.ipynb", "only names of parameters"),
        ("{region[0]}.ipynb", "only names of parameters"),
        ("{0}.ipynb", "only names of parameters"),
        ("{region", "cannot be read"),
        ("{region:d}.ipynb", "does not fit"),
        ("{region:>1000000000000}.ipynb", "wider than any file's name"),
        ("{date:%1000000000Y}.ipynb", "wider than any file's name"),
        ("{token}.ipynb", "which is a secret"),
        ("out/{dots}/x.ipynb", "no name for a file"),
    ],
)
def test_a_template_that_makes_no_name_is_told(template: str, words: str) -> None:
    parameters = {"region": "north", "token": Secret("hush"), "dots": ".."}

    with pytest.raises(OutputNameError) as told:
        output_named(template, "n.ipynb", parameters, "0" * 32, NOW)

    assert words in str(told.value)
    assert "hush" not in str(told.value)
