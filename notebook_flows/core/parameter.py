"""What a flow is given from outside, and values that stand in it as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from notebook_flows.core import signals
from notebook_flows.core.building import flow_for
from notebook_flows.core.context import context
from notebook_flows.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notebook_flows.core.flow import Flow


class _NoDefault:
    def __repr__(self) -> str:
        return "<no default>"

    def __reduce__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault()


class Parameter(Task):
    """A value that each run may set: ``flow.run(date="2021-01-02")``.

    Args:
        name: how runs name it; unique in the flow.
        default: its value where a run does not set it.
        required: True: each run has to set it, whatever the default. False: None without a default.
        tags: words to find it by.

    Attributes:
        annotation: its type, where ``@flow`` found one on the function's argument; command lines read by it.
    """

    _is_parameter: ClassVar[bool] = True
    _joins_blocks: ClassVar[bool] = False

    def __init__(
        self, name: str, default: Any = NO_DEFAULT, required: bool | None = None, tags: Iterable[str] | None = None
    ) -> None:
        if not name or not isinstance(name, str):
            raise ValueError(f"A parameter needs a name, not {name!r}.")
        self.annotation: Any = None
        self.required = default is NO_DEFAULT if required is None else required
        self.default = None if default is NO_DEFAULT else default
        super().__init__(name=name, slug=name, tags=tags)

    def __call__(self, flow: Flow | None = None) -> Self:  # type: ignore[override] # as in Prefect 1: only a flow
        """Add this parameter to the open flow."""
        return self.bind(flow=flow_for(self, flow))

    def copy(self, name: str, **task_args: Any) -> Self:  # type: ignore[override] # a copy needs a name of its own
        """Another parameter like this one, by another name."""
        return super().copy(name=name, slug=name, **task_args)

    def run(self) -> Any:
        """The value that this run has."""
        parameters = context.get("parameters") or {}
        if self.required and self.name not in parameters:
            raise signals.FAIL(f'Parameter "{self.name}" was required but not provided.')
        return self._converted(parameters.get(self.name, self.default))

    def _converted(self, value: Any) -> Any:
        return value

    def __repr__(self) -> str:
        return f"<Parameter: {self.name}>"


class DateTimeParameter(Parameter):
    """A parameter whose value is a moment: text is read as ISO 8601; without a zone it is UTC; None stays None."""

    def __init__(
        self, name: str, default: Any = NO_DEFAULT, required: bool | None = None, tags: Iterable[str] | None = None
    ) -> None:
        super().__init__(name, default=default, required=required, tags=tags)
        if self.default is not None:
            self._converted(self.default)  # a default that is no moment fails where it is written

    def _converted(self, value: Any) -> Any:
        from datetime import UTC, datetime

        if value is None:
            return None
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"Parameter {self.name!r} is a moment, such as 2021-01-31T08:00; {value!r} is none."
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Constant(Task):
    """A fixed value that stands in the flow as a task: where it is mapped over, or waited for."""

    auto_generated = True
    _joins_blocks: ClassVar[bool] = False

    def __init__(self, value: Any, name: str | None = None, **kwargs: Any) -> None:
        self.value = value
        super().__init__(name=name or type(value).__name__, **kwargs)

    def run(self) -> Any:
        """The value."""
        return self.value

    def __repr__(self) -> str:
        return f"<Constant: {self.value!r}>"
