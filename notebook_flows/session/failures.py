"""The error of a cell, shown as IPython shows it, and then freed of all that it would keep alive."""

from __future__ import annotations

import copy
import traceback
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.engine.wording import NoText, as_python, said, text_of
from notebook_flows.session.hearing import StepInterrupted, StepIsLate
from notebook_flows.session.routes import current_route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import Sink

_OURS = "notebook_flows.session."


def show_failure(error: BaseException, code: CellCode, sink: Sink, shell: Any = None) -> None:
    """Put a cell's exception, rendered, into its sink; and let go of the values in its frames.

    Its traceback then begins in the cell. The names of the lines stay, the local variables do not.
    """
    error.__traceback__ = own_part(error.__traceback__)
    shown = _as_people_know_it(error)
    lines = _rendered(shown, code, shell)
    if (route := current_route()) is not None:
        route.catch_up()  # what children have printed comes first
    sink.error(type(shown).__name__, said(shown), lines)
    for one in _chain(error):
        with suppress(RuntimeError):  # a frame that still runs: a generator that the cell has begun elsewhere
            traceback.clear_frames(one.__traceback__)


def own_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from where the user's own code begins."""
    first = trace
    while first is not None and str(first.tb_frame.f_globals.get("__name__", "")).startswith(_OURS):
        first = first.tb_next
    return first


def _as_people_know_it(error: BaseException) -> BaseException:
    """The same error; in place of one by a word of our own, which nobody need know, the one that it stands for."""
    if not isinstance(error, TaskTimeout | StepInterrupted | KeyboardInterrupt):
        return error
    alarm = TaskTimeout if isinstance(error, TaskTimeout) else StepInterrupted
    trace = _up_to(alarm.__module__, error.__traceback__)
    if isinstance(error, TaskTimeout | StepIsLate):
        return TimeoutError("its time was up").with_traceback(trace)
    return KeyboardInterrupt().with_traceback(trace) if isinstance(error, StepInterrupted) else error


def _up_to(module: str, trace: TracebackType | None) -> TracebackType | None:
    """The traceback, cut off where a module of ours has interrupted the user's code."""
    last = trace
    while last is not None and last.tb_next is not None:
        if last.tb_next.tb_frame.f_globals.get("__name__") == module:
            last.tb_next = None
        last = last.tb_next
    return trace


def _rendered(error: BaseException, code: CellCode, shell: Any) -> list[str]:
    code.register()
    for make in (_by_itself, _as_ipython):
        with suppress(NoText):  # what cannot be rendered so is rendered as any other
            if text := text_of(partial(make, error, shell)):
                return text.split("\n")
    # IPython reads sources and calls reprs, which may raise anything; Python's own words are left
    return as_python(error, error.__traceback__).splitlines()


def _by_itself(error: BaseException, shell: Any) -> str:
    """As the exception itself says, if it does; IPython asks in the same way."""
    del shell
    own = getattr(error, "_render_traceback_", None)
    return "" if own is None else "\n".join(str(line) for line in own())


def _as_ipython(error: BaseException, shell: Any) -> str:
    from IPython.core.error import UsageError

    text = str(error)  # IPython hides it if this fails
    if isinstance(error, UsageError):
        return f"UsageError: {text}"
    kind, trace = type(error), error.__traceback__
    if isinstance(error, SyntaxError) and trace is None:
        renderer = _renderer(shell, "SyntaxTB")
        return "\n".join(renderer.structured_traceback(kind, error, []))
    renderer = _renderer(shell, "InteractiveTB")
    lines = list(renderer.structured_traceback(kind, error, trace, tb_offset=0))
    renderer.tb = None
    return "\n".join(lines)


def _renderer(shell: Any, name: str) -> Any:
    """A renderer of our own: the shell's is not made for several threads, and keeps the last traceback."""
    if shell is not None and hasattr(shell, name):
        return copy.copy(getattr(shell, name))
    from IPython.core import ultratb

    made = getattr(ultratb, "SyntaxTB" if name == "SyntaxTB" else "AutoFormattedTB")
    try:
        return made(theme_name="linux")
    except TypeError:  # IPython 8
        return made(color_scheme="Linux")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it tells of."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo.extend((one.__cause__, one.__context__))
        if isinstance(one, BaseExceptionGroup):
            todo.extend(one.exceptions)
