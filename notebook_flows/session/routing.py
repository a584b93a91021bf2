"""Makes printing, displaying, logging, threads and children of this process go by the task that they belong to.

Nothing is replaced that others may hold: the streams and IPython's publishers get a class that asks the context variable
first, so that a logging handler of before, or a default argument ``file=sys.stdout``, goes the right way too.
"""

from __future__ import annotations

import atexit
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.session.children import children_routed
from notebook_flows.session.displaying import displays_routed, is_publisher_routed, publisher_routed
from notebook_flows.session.figures import figures_routed
from notebook_flows.session.questions import questions_refused
from notebook_flows.session.redirects import redirects_routed
from notebook_flows.session.routes import begin_anew, current_sink, diverted, routed, running
from notebook_flows.session.streams import are_streams_routed, streams_routed
from notebook_flows.session.threads import threads_routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["current_sink", "diverted", "install", "routed", "unattributed_to", "uninstall"]

_LOCK = threading.Lock()
_installed: tuple[Any, ExitStack] | None = None
_takers: list[tuple[Callable[[str, str], None]]] = []
"""Of text that nobody knows the task of, for each run that goes on; the latest gets it."""


def install(shell: Any, *, catches_descriptors: bool | None = None) -> None:
    """From now on printing, displaying and logging ask the context variable; without a sink all is as before.

    Each run says so anew: a cell below `%%capture` has streams and a publisher of its own.

    Args:
        shell: IPython's; None: only streams, threads and children.
        catches_descriptors: what a task writes past Python is its output too. None: if the kernel itself does so.
    """
    global _installed
    with _LOCK:
        if _installed is not None and _installed[0] is not shell:
            _installed[1].close()
            _installed = None
        if _installed is None:
            begin_anew()
            stack = ExitStack()
            stack.callback(atexit.unregister, stack.close)
            atexit.register(stack.close)  # before the interpreter takes its modules apart
            watches = stack.enter_context(streams_routed())
            if shell is not None:
                stack.enter_context(displays_routed(shell))
            stack.enter_context(threads_routed())
            stack.enter_context(children_routed())
            stack.enter_context(redirects_routed())
            stack.enter_context(questions_refused())
            stack.enter_context(figures_routed())
            stack.callback(running().tell_unattributed, None)
            stack.callback(running().catch_descriptors, catches=False)
            running().catch_descriptors(catches=watches if catches_descriptors is None else catches_descriptors)
            _installed = (shell, stack)
        stack = _installed[1]
        if not are_streams_routed():
            stack.enter_context(streams_routed())
        if shell is not None and not is_publisher_routed(shell):
            stack.enter_context(publisher_routed(shell))


@contextmanager
def unattributed_to(take: Callable[[str, str], None]) -> Iterator[None]:
    """Inside, as during one run, text goes here that several tasks may have written.

    Native code, and children that a task starts otherwise than by `subprocess`, write to file descriptors, past Python.
    While one task runs, that is its output; of several, nobody knows whose it is. Outside, such text goes where it went
    before us.

    Args:
        take: gets ``stdout`` or ``stderr``, and the text; from a thread of ours.
    """
    mark = (take,)  # the same function may stand here twice
    with _LOCK:
        _takers.append(mark)
        running().tell_unattributed(take)
    try:
        yield
    finally:
        with _LOCK:
            _takers[:] = [one for one in _takers if one is not mark]  # runs may end in another order than they began
            running().tell_unattributed(_takers[-1][0] if _takers else None)


def uninstall(shell: Any) -> None:
    """All is as it was before `install`."""
    global _installed
    with _LOCK:
        if _installed is not None and _installed[0] is shell:
            _installed[1].close()
            _installed = None
