"""Whatever a task does with a secret parameter: its value is nowhere in the folder of the history afterwards."""

from __future__ import annotations

import base64
import logging
import types
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

from notebook_flows import Flow, Parameter, Secret, artifact, task
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "cänary/of-4711+Qx"


def _raises(value: str) -> None:
    raise ValueError(f"bad token {value}")


def _raises_from_another(value: str) -> None:
    try:
        raise KeyError(value)
    except KeyError as error:
        raise RuntimeError("in vain") from error


def _raises_with_a_note(value: str) -> None:
    error = ValueError("in vain")
    error.add_note(value)
    raise error


def _has_a_repr_that_tells(value: str) -> Any:
    def reduce(_: Any) -> Any:
        raise TypeError(value)

    return type("Own", (), {"__reduce__": reduce})()


WAYS: dict[str, Callable[[str], Any]] = {
    "gives it back": lambda value: value,
    "gives it back in a dict": lambda value: {"Authorization": f"Bearer {value}"},
    "gives it back often": lambda value: [value] * 20_000,
    "gives it back as base64": lambda value: base64.b64encode(value.encode()),
    "gives it back in a function": lambda value: lambda: value,
    "gives it back in an object": lambda value: types.SimpleNamespace(token=value),
    "gives it back in a pandas frame, which is compressed": lambda value: pd.DataFrame({"a": [value] * 5_000}),
    "gives it back in a polars frame, which is compressed": lambda value: pl.DataFrame({"a": [value] * 5_000}),
    "gives back what cannot be pickled, and says why": _has_a_repr_that_tells,
    "logs it": lambda value: logging.getLogger("of a task").warning("with %s", value),
    "prints it": print,
    "raises it": _raises,
    "raises from an error that tells it": _raises_from_another,
    "raises an error with it in a note": _raises_with_a_note,
    "attaches it": lambda value: artifact(f"with {value}", title=value),
    "attaches bytes with it": lambda value: artifact(b"\xff\x00" + value.encode(), name="x.bin"),
}


@pytest.mark.parametrize("executor", ["local", "threads:2"])
@pytest.mark.parametrize("way", WAYS)
def test_the_value_of_a_secret_is_nowhere_on_the_disk(way: str, executor: str, disk: Path) -> None:
    @task(cache=True, log_stdout=True)
    def uses(password: Secret) -> Any:
        return WAYS[way](password.get())

    with Flow("secret") as flow:
        end = uses(Parameter("password"))

    state = flow.run(password=Secret(CANARY), executor=executor, keep_results=True)
    event_log().close()

    assert way.startswith("raises") is state.result[end].is_failed()
    written = b"".join(path.read_bytes() for path in disk.rglob("*") if path.is_file())
    for spelling in (CANARY, CANARY[1:], CANARY.split("/")[1]):
        assert spelling.encode() not in written
        assert spelling.encode("utf-16-le") not in written
    assert base64.b64encode(CANARY.encode()).rstrip(b"=") not in written
    assert b"uses" in written


def test_a_secret_that_is_written_into_a_flow_is_kept_as_well_as_a_parameter(disk: Path) -> None:
    @task
    def uses(password: Secret) -> str:
        logging.getLogger("of a task").warning("with %s", password.get())
        return str(password.get())

    with Flow("secret") as flow:
        uses(Secret(CANARY))

    flow.run(keep_results=True)
    event_log().close()

    assert CANARY.encode() not in b"".join(path.read_bytes() for path in disk.rglob("*") if path.is_file())


def test_what_is_not_kept_for_a_secret_says_so_and_the_value_goes_on(disk: Path) -> None:
    @task(cache=True)
    def opens(password: Secret) -> str:
        return str(password.get())

    @task
    def counts(opened: str) -> int:
        return len(opened)

    with Flow("secret") as flow:
        end = counts(opens(Parameter("password")))

    state = flow.run(password=Secret(CANARY), keep_results=True)

    assert state.result[end].result == len(CANARY)
    row = event_log().runs()[0]
    assert [one.message for one in event_log().log_lines(row.run_id, "opens-1")] == [
        "Task 'opens' is not cached: The value of a secret is in it."
    ]


def test_observers_hear_the_same_events_without_the_value(disk: Path) -> None:
    @task
    def fails(password: Secret) -> None:
        raise ValueError(password.get())

    with Flow("secret") as flow:
        fails(Parameter("password"))
    heard: list[Any] = []

    flow.run(password=Secret(CANARY), observers=[lambda _, events: heard.extend(events)])

    assert any("ValueError: ***" in str(one.data) for one in heard)
    assert CANARY not in str(heard)
    assert heard == event_log().read(event_log().runs()[0].run_id)
