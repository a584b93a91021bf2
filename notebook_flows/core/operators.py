"""Tasks that Python's operators on tasks make."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, ClassVar

from notebook_flows.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable


class _Operator(Task):
    auto_generated = True
    function: ClassVar[Callable[..., Any]]


class GetItem(_Operator):
    """``value[key]``."""

    def run(self, task_result: Any, key: Any) -> Any:
        """Take the element."""
        return task_result[key]


class GetAttr(Task):
    """``value.attribute``; dots lead further: ``"shape.real"``."""

    def __init__(self, default: Any = None, **kwargs: Any) -> None:
        self.default = default
        super().__init__(**kwargs)

    def run(self, task_result: Any, attr: str, default: Any = None) -> Any:
        """Take the attribute, or the default where there is one and it is missing."""
        fallback = self.default if default is None else default
        for part in attr.split("."):
            if fallback is not None and not hasattr(task_result, part):
                return fallback
            task_result = getattr(task_result, part)
        return task_result


class _Binary(_Operator):
    def run(self, x: Any, y: Any) -> Any:
        """Apply it."""
        return type(self).function(x, y)


class _Unary(_Operator):
    def run(self, x: Any) -> Any:
        """Apply it."""
        return type(self).function(x)


def _both(x: Any, y: Any) -> Any:
    return x and y


def _either(x: Any, y: Any) -> Any:
    return x or y


class Add(_Binary):
    """``x + y``."""

    function = operator.add


class Sub(_Binary):
    """``x - y``."""

    function = operator.sub


class Mul(_Binary):
    """``x * y``."""

    function = operator.mul


class Div(_Binary):
    """``x / y``."""

    function = operator.truediv


class FloorDiv(_Binary):
    """``x // y``."""

    function = operator.floordiv


class Mod(_Binary):
    """``x % y``."""

    function = operator.mod


class Pow(_Binary):
    """``x ** y``."""

    function = operator.pow


class And(_Binary):
    """``x and y``."""

    function = staticmethod(_both)


class Or(_Binary):
    """``x or y``."""

    function = staticmethod(_either)


class Equal(_Binary):
    """``x == y``."""

    function = operator.eq


class NotEqual(_Binary):
    """``x != y``."""

    function = operator.ne


class GreaterThan(_Binary):
    """``x > y``."""

    function = operator.gt


class GreaterThanOrEqual(_Binary):
    """``x >= y``."""

    function = operator.ge


class LessThan(_Binary):
    """``x < y``."""

    function = operator.lt


class LessThanOrEqual(_Binary):
    """``x <= y``."""

    function = operator.le


class Not(_Unary):
    """``not x``."""

    function = operator.not_
