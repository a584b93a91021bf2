"""Which cells a run is to run: sources in, names of cells out; and who is stale, and which values are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.analysis.taskcell import task_cell
from notebook_flows.core.lifecycle import S
from notebook_flows.session.feeding import feeders
from notebook_flows.session.freshness import Freshness
from notebook_flows.session.runvalues import RunValues, missing_versions
from notebook_flows.session.selection import SelectionError, Standing, Wish, select
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from notebook_flows.analysis import Connections

PIPELINE = {
    "n": "n = 3",
    "load": "%%task load\nrows = list(range(n))",
    "mid": "limit = len(rows)",
    "clean": "%%task clean\ncleaned = rows[:limit]",
    "plot": "%%task plot\nplot = cleaned",
    "other": "%%task other\nother = 1",
}


def connected(cells: Mapping[str, str]) -> Connections:
    found = []
    for key, source in cells.items():
        task = task_cell(source)
        body = source if task is None else task.body
        found.append(Cell(key=key, facts=analyse(body), is_task=task is not None, name=key))
    return connect(found)


def bound_last(connections: Connections) -> dict[str, str]:
    """Whose version of each name the namespace holds once all has run from top to bottom."""
    return {name: key for key, links in connections.cells.items() for name in links.outputs}


def chosen(wish: Wish, *, stale: Collection[str] = (), not_again: Mapping[str, str] | None = None) -> list[str]:
    connections = connected(PIPELINE)
    standing = Standing(
        connections=connections,
        names={key: key for key in PIPELINE},
        stale=dict.fromkeys(stale, "edited"),
        can_repeat=lambda key: (not_again or {}).get(key, ""),
        kept=frozenset(),
        bound_by=bound_last(connections).get,
        parameters_cell="n",
    )
    return list(select(standing, wish).reasons)


@pytest.mark.parametrize(
    ("wish", "stale", "expected"),
    [
        (Wish(), (), []),
        (Wish(), ("plot",), ["plot"]),
        (Wish(), ("load", "mid", "clean", "plot"), ["load", "mid", "clean", "plot"]),
        (Wish(everything=True), (), ["load", "mid", "clean", "plot", "other"]),
        (Wish(names=("plot",)), (), ["plot"]),
        (Wish(names=("plot",)), ("clean", "plot"), ["clean", "plot"]),
        (Wish(names=("plot",)), ("other",), ["plot"]),
        (Wish(start="clean"), (), ["clean", "plot"]),
        (Wish(only=("plot",)), ("clean", "plot"), ["plot"]),
        (Wish(parameters={"n": 5}), (), ["n", "load", "mid", "clean", "plot"]),
    ],
)
def test_what_runs(wish: Wish, stale: tuple[str, ...], expected: list[str]) -> None:
    assert chosen(wish, stale=stale) == expected


def test_an_ordinary_cell_that_must_not_run_again_is_named_with_the_reason() -> None:
    with pytest.raises(SelectionError, match="'clean' takes values from 'mid', an ordinary cell .* it writes a file"):
        chosen(Wish(everything=True), not_again={"mid": "it writes a file"})


def test_all_unknown_names_are_told_at_once() -> None:
    with pytest.raises(SelectionError) as told:
        chosen(Wish(names=("laod", "claen")))

    assert told.value.problems == [
        "There is no task cell 'laod'. Did you mean 'load'?",
        "There is no task cell 'claen'. Did you mean 'clean'?",
    ]


# -- versions ----------------------------------------------------------------------------------------------------------

VERSIONS = {
    "one": "%%task one\nx = 1",
    "use one": "%%task first\na = x",
    "two": "%%task two\nx = 2",
    "use two": "%%task second\nb = x",
}


def test_a_version_that_was_replaced_is_missing_unless_it_is_kept_or_made_again() -> None:
    connections = connected(VERSIONS)
    owner = bound_last(connections).get

    assert missing_versions(connections, "use one", (), kept=(), bound_by=owner) == {"x": "one"}
    assert missing_versions(connections, "use one", {"one"}, kept=(), bound_by=owner) == {}
    assert missing_versions(connections, "use one", (), kept={("one", "x")}, bound_by=owner) == {}
    assert missing_versions(connections, "use two", (), kept=(), bound_by=owner) == {}


def test_what_nobody_is_told_to_bind_is_not_missing_below_a_cell_that_cannot_be_seen_through() -> None:
    connections = connected({"unseen": "exec(text)", "use": "%%task use\nn = len(rows)"})

    assert missing_versions(connections, "use", (), kept=(), bound_by=lambda _name: None) == {}


def test_a_cell_gets_the_version_above_it_from_the_run_or_from_what_was_kept() -> None:
    connections = connected(VERSIONS)
    values = RunValues(connections, ["two", "use one", "use two"], kept={("one", "x"): 1}, bound_by=lambda _name: "two")
    values.made("two", CellValues(bound={"x": 22}))

    assert values.inputs_of("use one") == {"x": 1}
    assert values.inputs_of("use two") == {"x": 22}
    values.forget()
    assert values.done == {}


# -- staleness ---------------------------------------------------------------------------------------------------------


def ran_all(freshness: Freshness, cells: Mapping[str, str] = PIPELINE) -> None:
    for key, source in cells.items():
        freshness.ran(key, source=source, state=S.SUCCESS)


def stale(freshness: Freshness, cells: Mapping[str, str] = PIPELINE) -> dict[str, str]:
    return freshness.why_stale(cells, feeders(connected(cells)))


def test_what_has_run_in_order_is_up_to_date() -> None:
    freshness = Freshness()
    ran_all(freshness)

    assert stale(freshness) == {}


def test_what_is_below_a_cell_that_has_run_again_is_stale_and_says_why() -> None:
    freshness = Freshness()
    ran_all(freshness)

    freshness.ran("load", source=PIPELINE["load"], state=S.SUCCESS)

    assert stale(freshness)["mid"] == "'load' has run again, which it needs"
    assert stale(freshness)["plot"] == "'clean' is stale, which it needs"
    assert "other" not in stale(freshness)


def test_an_edited_a_failed_and_a_forgotten_cell_are_stale() -> None:
    freshness = Freshness()
    ran_all(freshness)
    freshness.ran("other", source=PIPELINE["other"], state=S.FAILED)
    freshness.forget("plot")

    found = stale(freshness, {**PIPELINE, "clean": "%%task clean\ncleaned = rows"})

    assert found == {
        "clean": "edited since it ran",
        "plot": "has not run yet",
        "other": found["other"],
    }
    assert "failed" in found["other"]


def test_what_ran_before_anybody_listened_makes_nothing_stale() -> None:
    freshness = Freshness()
    freshness.ran("load", source=PIPELINE["load"], state=S.SUCCESS)

    freshness.ran("n", source=PIPELINE["n"], state=S.SUCCESS, is_news=False)

    assert "load" not in stale(freshness)


def test_a_changed_module_of_ones_own_makes_its_users_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "helper_for_staleness.py"
    file.write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("helper_for_staleness")
    freshness = Freshness()
    freshness.ran("use", source="x", state=S.SUCCESS, modules=["helper_for_staleness", "json"])
    assert freshness.why_stale({"use": "x"}, {}) == {}

    file.write_text("x = 'longer'\n")

    assert freshness.why_stale({"use": "x"}, {}) == {"use": "helper_for_staleness.py has changed"}
