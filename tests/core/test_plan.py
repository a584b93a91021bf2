"""What a run is to do, as far as it is settled before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from notebook_flows.core.plan import checked_run_id
from notebook_flows.errors import ParameterError


@pytest.mark.parametrize("text", ["a", "0" * 32, "nightly-2021.01.31_b", "x" * 64, "A..b", "-"])
def test_a_run_id_has_letters_digits_and_little_else(text: str) -> None:
    assert checked_run_id(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", ".a", "../../evil", "a/b", "a\\b", "a b", "a\n", "x" * 65, "\u00e9", "\u0663", 7, None, b"a"],
)
def test_what_could_not_be_a_file_name_is_no_run_id(text: Any) -> None:
    with pytest.raises(ParameterError, match="flow_run_id is .* 1 to 64 letters, digits"):
        checked_run_id(text)
