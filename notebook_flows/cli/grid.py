"""``--grid name=a,b,c``: one notebook over all combinations of some parameters' values."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from notebook_flows.cli.values import from_json
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_RUNS = 10_000


def grid_from(options: Iterable[str]) -> list[dict[str, Any]]:
    """The combinations, the last name's values changing fastest; without options one that is empty.

    ``name=a,b`` gives texts, which the notebook's types read; ``name:=[1, 2]`` the elements of a JSON list, for texts
    with commas and for lists.

    >>> grid_from(["region=north,south", "year:=[2024, 2025]"])[1]
    {'region': 'north', 'year': 2025}

    Raises:
        ParameterError: one has no values, comes twice, or they are too many.
    """
    axes: dict[str, list[Any]] = {}
    for option in options:
        name, values = _axis(option)
        if name in axes:
            raise ParameterError(f"--grid {name!r} is given twice. Write all its values in one: --grid {name}=a,b,c.")
        axes[name] = values
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST_RUNS:
        raise ParameterError(f"This grid has {count:,} combinations; {MOST_RUNS:,} are the most that are run at once.")
    return [dict(zip(axes, one, strict=True)) for one in itertools.product(*axes.values())]


def _axis(option: str) -> tuple[str, list[Any]]:
    from notebook_flows.notebook.kinds import Text

    name, equals, text = option.partition("=")
    is_json = name.endswith(":")
    name = name.removesuffix(":").strip()
    if not equals or not name:
        raise ParameterError(f"--grid {option!r}: write name=a,b,c, or name:=[JSON].")
    values: list[Any] = [Text(one.strip()) for one in text.split(",")] if text else []
    if is_json:
        try:
            values = from_json(text)
        except ValueError as error:
            raise ParameterError(f"--grid {name!r} {error}") from None
        if not isinstance(values, list):
            raise ParameterError(f"--grid {name!r}: {text!r} is no JSON list, such as [1, 2].")
    if not values:
        raise ParameterError(f"--grid {name!r} has no values: write {name}=a,b,c.")
    twice = next((one for place, one in enumerate(values) if one in values[:place]), None)
    if twice is not None:
        raise ParameterError(f"--grid {name!r} has {twice!r} twice.")
    return name, values
