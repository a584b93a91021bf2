"""The steps of a cell, one after the other, what surrounds them, and the display of the last one."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.fingerprints.watching import watching
from notebook_flows.session.apart import was_cancelled
from notebook_flows.session.childtasks import children_heard
from notebook_flows.session.failures import show_failure
from notebook_flows.session.figures import own_figures
from notebook_flows.session.hearing import hears_interrupts
from notebook_flows.session.routes import current_route, routed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.fingerprints.watching import Watch
    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink


class NeedsLoop(FlowError):  # noqa: N818 - the sentence that people read
    """A cell that awaits was to be run where there is no event loop to await on."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Task {self.name!r} has an `await` outside of functions; it runs on the kernel's event loop only."


@contextmanager
def around_cell(code: CellCode, sink: Sink, shell: Any = None) -> Iterator[Watch]:
    """Around a cell's code: what it puts out goes to its sink, its figures are its own, an error is shown there.

    Inside, what it reads and evaluates is watched.
    """
    with ExitStack() as stack:
        stack.enter_context(routed(sink))
        watch = stack.enter_context(watching())
        try:
            if code.facts.uses_pyplot:
                with own_figures():
                    yield watch
            else:
                yield watch
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and was_cancelled():
                raise
            show_failure(error, code, sink, shell)
            raise


def run_steps(code: CellCode, names: dict[str, Any], sink: Sink, shell: Any = None) -> None:
    """Run a cell that does not await.

    Raises:
        BaseException: what the cell raises.
    """
    if code.problem is not None:
        raise fresh(code.problem)
    if code.awaits:
        raise NeedsLoop(code.name)
    with hears_interrupts(code.key), children_heard():
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
    with hears_interrupts(code.key), children_heard():
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
        if (route := current_route()) is not None:
            route.catch_up()  # what children have printed comes first
        sink.result(data, metadata)


def _formatter(shell: Any) -> Any:
    formatter = getattr(shell, "display_formatter", None)
    if formatter is None:
        from IPython.core.formatters import DisplayFormatter

        return DisplayFormatter()
    return formatter
