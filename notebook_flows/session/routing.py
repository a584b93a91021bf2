"""Which task's output this is: a context variable, and what asks it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from notebook_flows.session.outputs import Sink

_SINK: ContextVar[Sink | None] = ContextVar("notebook_flows_sink", default=None)


def current_sink() -> Sink | None:
    """Where the output of the calling code goes; None: where it would go without us."""
    return _SINK.get()


@contextmanager
def routed(sink: Sink) -> Iterator[Sink]:
    """Inside, whatever this thread, or a thread or asyncio task started from it, puts out goes to the sink.

    One task's whole run stands in it. At the end, what children and native code have written so far is there too.
    """
    token = _SINK.set(sink)
    try:
        yield sink
    finally:
        _SINK.reset(token)


def install(shell: Any, *, unattributed: Callable[[str, str], None] | None = None) -> None:
    """From now on printing, displaying and logging ask the context variable; without a sink all is as before.

    Args:
        shell: IPython's.
        unattributed: takes (``stdout`` or ``stderr``, text) that was written to a file descriptor, past Python, while
            several tasks were running, so that nobody knows whose it is. None: it goes where it went before.
    """


def uninstall(shell: Any) -> None:
    """All is as it was before `install`."""
