"""The browser shows each state with the words, glyphs and colours of Python."""

from __future__ import annotations

import pytest
import write_theme


@pytest.mark.parametrize("name", write_theme.written())
def test_the_browser_s_states_are_those_of_python(name: str) -> None:
    file = write_theme.FOLDER / name

    content = write_theme.written()[name]

    assert file.read_text(encoding="utf-8") == content, "python labextension/write_theme.py writes it anew"
