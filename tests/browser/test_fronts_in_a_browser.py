"""A notebook of task cells in JupyterLab and Notebook 7, as a person sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from browsing import Lab


@pytest.fixture(params=["lab", "notebook7"])
def front(request: pytest.FixtureRequest) -> Lab:
    """The one, then the other."""
    return request.getfixturevalue(request.param)


def test_a_run_shows_each_output_below_its_own_cell(front: Lab) -> None:
    name = front.server.write(
        "%load_ext notebook_flows",
        "%%task first\nx = 1\nprint('the first says', x)",
        "%%task second\nprint('the second says', x + 1)",
        "%flow run --all",
        name=f"{type(front).__name__}-outputs.ipynb",
    )
    front.open(name)

    front.run_all()

    assert front.text(1) == "the first says 1\n"
    assert front.text(2) == "the second says 2\n"
    assert "2 cells" in front.text(3)
    assert front.errors() == []
