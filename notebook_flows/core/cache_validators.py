"""Whether a result that was cached while this process lives may be used again.

The engine asks only while the result has not expired, so these look at inputs and parameters alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from notebook_flows.core.state import Cached


def never_use(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Never."""
    return False


def duration_only(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """As long as it has not expired; what ``cache_for`` alone means."""
    return True


def all_inputs(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """If the task's arguments are the same."""
    return _same(state.cached_inputs, inputs)


def all_parameters(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """If the run's parameters are the same."""
    return _same(state.cached_parameters, parameters)


def partial_inputs_only(validate_on: Iterable[str] | None = None) -> Callable[..., bool]:
    """If these of the task's arguments are the same."""
    names = tuple(validate_on or ())

    def validator(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        return _same(_only(state.cached_inputs, names), _only(inputs, names))

    return validator


def partial_parameters_only(validate_on: Iterable[str] | None = None) -> Callable[..., bool]:
    """If these of the run's parameters are the same."""
    names = tuple(validate_on or ())

    def validator(state: Cached, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        return _same(_only(state.cached_parameters, names), _only(parameters, names))

    return validator


def _only(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values.get(name) for name in names}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal for certain; values whose comparison is no plain yes (arrays, frames), or raises, count as different."""
    return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return (one == other) is True
    except Exception:  # frames with other labels, and whatever users compare: not equal for certain
        return False
