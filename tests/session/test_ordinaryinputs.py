"""The values that tasks take from ordinary cells: each is looked at once, and anew where a cell between has changed it."""

from __future__ import annotations

from typing import Any

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.session.cellresults import sight_of
from notebook_flows.session.ordinaryinputs import OrdinaryPrints


class Table:
    """Counts how often it is looked at."""

    def __init__(self) -> None:
        self.rows = [1]
        self.looks = 0

    def __fingerprint__(self) -> list[int]:
        self.looks += 1
        return list(self.rows)


def prints(**sources: str) -> OrdinaryPrints:
    """Of cells, of which those with a name that begins with ``task`` are tasks."""
    cells = [
        Cell(key=key, facts=analyse(source), is_task=key.startswith("task"), name=key)
        for key, source in sources.items()
    ]
    return OrdinaryPrints(connect(cells), b"key")


def sight(**names: Any) -> Any:
    return sight_of(names, {})


def test_a_value_that_flows_into_many_cells_is_looked_at_once() -> None:
    table = Table()
    known = prints(make="table = load()", task_a="a = table.rows", task_b="b = table.rows")

    first, second = known.of("task_a", sight(table=table)), known.of("task_b", sight(table=table))

    assert first == second
    assert first["table"]
    assert table.looks == 1


def test_a_value_that_a_cell_between_changes_is_looked_at_again() -> None:
    table = Table()
    known = prints(
        make="table = load()", task_a="a = table.rows", change="table.rows.append(2)", task_b="b = table.rows"
    )

    before = known.of("task_a", sight(table=table))
    table.rows.append(2)
    after = known.of("task_b", sight(table=table))

    assert before["table"] != after["table"]


def test_what_a_task_has_made_is_none_of_them_and_what_cannot_be_told_is_empty() -> None:
    known = prints(make="rows = iter([1])", task_a="made = 1", task_b="b = made + len(list(rows))")

    assert known.of("task_b", sight(made=1, rows=iter([1]))) == {"rows": ""}
