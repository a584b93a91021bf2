"""``@flow``: a flow made of a function that calls tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from notebook_flows.core.flow import Flow
from notebook_flows.core.parameter import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable


@overload
def flow(fn: Callable[..., Any], /) -> Flow: ...
@overload
def flow(fn: None = None, /, *, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Flow]: ...
def flow(fn: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Make a `Flow` of a function that calls tasks; its arguments become the flow's parameters.

    The function runs once, now, to write the flow; each argument is a `Parameter`, with its default.

    Raises:
        ValueError: the function takes ``*args`` or ``**kwargs``, for which a flow has no parameters.
    """

    def build(function: Callable[..., Any]) -> Flow:
        import inspect
        import typing

        built = Flow(name or function.__name__, **options)
        built.__doc__ = function.__doc__
        try:
            hints = typing.get_type_hints(function)
        except Exception:  # a hint may name what exists only for type checkers; then it says nothing here
            hints = {}
        with built:
            given = {}
            for p in inspect.signature(function).parameters.values():
                if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}:
                    raise ValueError(f"Flow {built.name!r}: {p} has no name that a run could set. Name each parameter.")
                given[p.name] = Parameter(p.name) if p.default is p.empty else Parameter(p.name, default=p.default)
                given[p.name].annotation = hints.get(p.name)
                built.add_task(given[p.name])
            bound = inspect.signature(function).bind_partial()
            bound.arguments.update(given)
            function(*bound.args, **bound.kwargs)
        return built

    return build if fn is None else build(fn)
