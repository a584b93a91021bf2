"""What `-p name=value` means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, Parameter, Secret, flow
from notebook_flows.cli.times import since
from notebook_flows.cli.values import converted, from_json, given_from, values_for
from notebook_flows.core.parameter import DateTimeParameter
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(Enum):
    RED = "#f00"
    BLUE = "#00f"


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        (1, "5", 5),
        (1, "-5", -5),
        (1, "007", 7),
        (1.5, "2", 2.0),
        (1.5, "1e-3", 0.001),
        (False, "true", True),
        (False, "Yes", True),
        (True, "off", False),
        (True, "0", False),
        ("x", "007", "007"),
        ("x", "true", "true"),
        ("x", "", ""),
        ("x", "a=b", "a=b"),
        ("x", "@home", "@home"),
        (None, "5", "5"),
        ([], '["a", 1]', ["a", 1]),
        ((), "[1, 2]", (1, 2)),
        (set(), "[1, 1]", {1}),
        ({}, '{"a": [1]}', {"a": [1]}),
        (Path(), "/tmp/x", Path("/tmp/x")),
        (date(2020, 1, 1), "2026-01-31", date(2026, 1, 31)),
        (datetime(2020, 1, 1, tzinfo=UTC), "2026-01-31T08:00", datetime(2026, 1, 31, 8)),  # noqa: DTZ001 - as it was typed
        (Colour.RED, "BLUE", Colour.BLUE),
        (Colour.RED, "#00f", Colour.BLUE),
    ],
)
def test_a_text_becomes_the_kind_of_value_that_the_default_is(default: Any, text: str, value: Any) -> None:
    found = converted(text, default)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("default", "text", "sentence"),
    [
        (1, "x", "Parameter 'p' is a whole number, not 'x'."),
        (1, "1.5", "Parameter 'p' is a whole number, not '1.5'."),
        (1, "", "Parameter 'p' is a whole number, not ''."),
        (1, "٣", "Parameter 'p' is a whole number, not '٣'."),
        (1.5, "a", "Parameter 'p' is a number, not 'a'."),
        (True, "2", "Parameter 'p' is true or false, not '2'."),
        ([], '{"a": 1}', """Parameter 'p' is a list, in JSON as ["a", 1], not '{"a": 1}'."""),
        ([], "a,b", "Parameter 'p' is no JSON: 'a,b', expecting value at character 1."),
        (date(2020, 1, 1), "tomorrow", "Parameter 'p' is a date, as 2026-01-31, not 'tomorrow'."),
        (Colour.RED, "GREEN", "Parameter 'p' is one of RED, BLUE, not 'GREEN'."),
        (
            timedelta(1),
            "1",
            "Parameter 'p' has a default of the kind timedelta, which no text can be. Give JSON: -p name:=JSON.",
        ),
    ],
)
def test_a_text_that_does_not_fit_is_told_in_a_sentence(default: Any, text: str, sentence: str) -> None:
    flow = Flow("f")
    flow.add_task(Parameter("p", default=default))

    with pytest.raises(ParameterError) as raised:
        values_for(flow, given_from([f"p={text}"]))

    assert str(raised.value) == sentence


def test_all_texts_that_do_not_fit_are_told_at_once() -> None:
    flow = Flow("f")
    flow.add_task(Parameter("a", default=1))
    flow.add_task(Parameter("b", default=True))

    with pytest.raises(ParameterError, match=r"'a' is a whole number[^\n]*\nParameter 'b' is true or false"):
        values_for(flow, given_from(["a=x", "b=y"]))


def test_json_is_taken_as_it_stands_whatever_the_default_is(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("[1, 2]")
    flow = Flow("f")
    for name in ("a", "b", "c"):
        flow.add_task(Parameter(name, default="text"))

    values = values_for(flow, given_from(["a:=5", "b:=null", f"c:=@{tmp_path / 'rows.json'}"]))

    assert values == {"a": 5, "b": None, "c": [1, 2]}


def test_a_secret_stays_one() -> None:
    assert converted("hunter2", Secret("default")) == Secret("hunter2")


def test_a_moment_is_left_to_its_parameter() -> None:
    flow = Flow("f")
    flow.add_task(DateTimeParameter("at", default="2020-01-01"))

    assert values_for(flow, given_from(["at=2026-01-31"])) == {"at": "2026-01-31"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["a"], "-p 'a': write name=value, or name:=JSON."),
        (["=5"], "-p '=5': write name=value, or name:=JSON."),
        (["a=1", "a=2"], "Parameter 'a' is given twice."),
        (["a:=@no.json"], "Parameter 'a': the file no.json cannot be read: No such file or directory."),
    ],
)
def test_what_is_no_parameter_is_told(options: list[str], sentence: str) -> None:
    with pytest.raises(ParameterError) as raised:
        given_from(options)

    assert str(raised.value) == sentence


NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5d", NOW - timedelta(days=1.5)),
        ("2w", NOW - timedelta(weeks=2)),
        ("today", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T08:00+02:00", datetime(2026, 1, 1, 6, tzinfo=UTC)),
        ("soon", None),
        ("99999999999999999999d", None),
    ],
)
def test_a_moment_can_be_written_in_several_ways(text: str, moment: datetime | None) -> None:
    assert since(text, NOW) == moment


def test_params_lists_kinds_and_defaults(nf: Callable[..., Any], write: Callable[..., Path]) -> None:
    result = nf("params", write("etl.py"), "--json")

    assert result.exit_code == 0
    assert '"name": "limit"' in result.stdout
    assert '"default": 10' in result.stdout


def test_a_required_parameter_is_read_by_the_annotation_of_a_flow_function() -> None:
    @flow
    def nightly(days: int) -> None:
        pass

    values = values_for(nightly, given_from(["days=7"]))

    assert values == {"days": 7}


def test_json_that_is_nested_too_deeply_is_told() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json("[" * 100_000)
