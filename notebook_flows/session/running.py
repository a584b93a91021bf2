"""The steps of a cell, one after the other, and the display of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink


class NeedsLoop(FlowError):  # noqa: N818 - the sentence that people read
    """A cell that awaits was to be run where there is no event loop to await on."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Task {self.name!r} has an `await` outside of functions; it runs on the kernel's event loop only."


def run_steps(code: CellCode, names: dict[str, Any], sink: Sink, shell: Any = None) -> None:
    """Run a cell that does not await.

    Raises:
        BaseException: what the cell raises.
    """
    if code.problem is not None:
        raise fresh(code.problem)
    if code.awaits:
        raise NeedsLoop(code.name)
    for step in code.steps:
        value = eval(step.code, names)  # noqa: S307 - the user's own cell
        if step.shows:
            show(value, sink, shell)


async def await_steps(code: CellCode, names: dict[str, Any], sink: Sink, shell: Any = None) -> None:
    """Run a cell on the running event loop.

    Raises:
        BaseException: what the cell raises.
    """
    if code.problem is not None:
        raise fresh(code.problem)
    for step in code.steps:
        value = eval(step.code, names)  # noqa: S307 - the user's own cell
        if step.awaits:
            value = await value
        if step.shows:
            show(value, sink, shell)


def fresh(problem: SyntaxError) -> SyntaxError:
    """The same error without a traceback: one object would gather those of all runs."""
    return type(problem)(*problem.args)


def show(value: Any, sink: Sink, shell: Any = None) -> None:
    """Display the value of a last expression, as IPython does; ``_`` and ``Out`` are left alone."""
    if value is None:
        return
    data, metadata = _formatter(shell).format(value)
    if data:  # else it has displayed itself
        sink.result(data, metadata)


def _formatter(shell: Any) -> Any:
    formatter = getattr(shell, "display_formatter", None)
    if formatter is None:
        from IPython.core.formatters import DisplayFormatter

        return DisplayFormatter()
    return formatter
