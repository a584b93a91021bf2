"""Prints the keys of some calls; run in processes with other hash seeds, and compared with what is written down."""

from __future__ import annotations

import datetime as dt
import json
import sys
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from uuid import UUID
from zoneinfo import ZoneInfo

from notebook_flows.core.task import FunctionTask
from notebook_flows.fingerprints import Fingerprints, key_of

FACTORS = {"a": {1, 2, 3}, "b": frozenset({"x", "y"})}


class Colour(Enum):
    RED = 1
    BLUE = "blue"


def helper(x):
    return x * FACTORS["a"].pop()


def task_function(x, y=(1, 2), *, z=None):
    """Nothing of this text counts."""
    inner = [helper(one) for one in x if one not in {1, 2, 3}]
    return sorted(inner, key=lambda one: one + len(y)), z


VALUES = {
    "none": None,
    "numbers": [True, 1, -1, 1 << 80, 1.5, float("nan"), 0.0, -0.0, 2j],
    "text": ["", "é", "\ud800", b"\x00\xff"],
    "many": [str(number) if number % 3 else None for number in range(100)],
    "sets": {"a", "b", 3, frozenset({1, 2})},
    "dict": {"b": 1, "a": {2: [3]}},
    "times": [
        dt.date(2026, 1, 31),
        dt.datetime(2026, 1, 31, 8, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.datetime(2026, 1, 31, 8, tzinfo=dt.UTC),
        dt.timedelta(days=1, microseconds=5),
    ],
    "others": [Decimal("1.10"), PurePosixPath("a/b"), UUID(int=5), range(3)],
}


def keys() -> dict[str, str]:
    prints = Fingerprints(secret_key=b"golden")
    found = {name: prints.of_value(value) for name, value in VALUES.items()}
    found["key"] = key_of(prints.of_code(FunctionTask(task_function)), {"x": found["many"]}, version="1")
    if "processes" in sys.argv:  # what is built on a class of Python itself has its version in it
        found["enum"] = prints.of_value([Colour.RED, Colour.BLUE])
    if "numpy" in sys.argv:
        import numpy as np
        import pandas as pd

        frame = pd.DataFrame(
            {
                "n": np.arange(3),
                "s": pd.array(["a", None, "c"], dtype="string[python]"),
                "c": pd.Categorical(["x", "y", "x"]),
                "t": pd.date_range("2026-01-01", periods=3, tz="UTC", unit="ns"),
                "i": pd.array([1, None, 3], dtype="Int64"),
            }
        )
        found["array"] = prints.of_value(np.linspace(0, 1, 7).reshape(1, 7)[:, ::2])
        found["frame"] = prints.of_value(frame)
    return found


if __name__ == "__main__":
    print(json.dumps(keys(), indent=1))
