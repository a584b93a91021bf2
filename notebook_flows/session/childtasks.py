"""The asyncio tasks that a cell begins: SystemExit and KeyboardInterrupt in one of them end the cell, not the kernel's loop.

asyncio gives both to whoever awaits the task, and raises them in the loop as well. A program that has been started by
`asyncio.run` ends so; a kernel's loop would end, and with it the kernel. Here the cell ends, as the program would.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WAYS = ("call_soon", "call_at", "call_soon_threadsafe")
"""The ways to have a loop call something; all others lead to these."""


class Family:
    """What the code of one cell has the loop call, now and later.

    Args:
        loop: the one that runs.
        parent: the asyncio task of the cell itself; None: it does not await.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, parent: asyncio.Task[Any] | None) -> None:
        self._loop = loop
        self._parent = parent
        self.raised: BaseException | None = None

    def call(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call it for the loop."""
        try:
            callback(*arguments)
        except (KeyboardInterrupt, SystemExit) as error:
            if self.raised is None:
                self.raised = _without_our_step(error)
                self._loop.call_soon(self._end, callback)  # whoever awaits it hears of it before

    def _end(self, callback: Callable[..., object]) -> None:
        if self._parent is None or self._parent.done():
            return
        self._parent.cancel()
        child = getattr(callback, "__self__", None)
        if isinstance(child, asyncio.Task) and child.done() and not child.cancelled():
            child.exception()  # asyncio need not tell that nobody has asked for it


def _without_our_step(error: BaseException) -> BaseException:
    """The same error; its traceback begins in the code of the asyncio task, as without us."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


_family: ContextVar[Family | None] = ContextVar("notebook_flows_family", default=None)


@contextmanager
def children_heard() -> Iterator[None]:
    """Around the code of a cell.

    Raises:
        BaseException: what the code raises; KeyboardInterrupt and SystemExit: or one of its asyncio tasks.
    """
    loop = _running_loop()
    if loop is None:  # in a thread
        yield
        return
    watch(loop)
    family = Family(loop, asyncio.current_task())
    token = _family.set(family)
    try:
        yield
    except asyncio.CancelledError:
        if family.raised is None:
            raise
        raise family.raised from None
    else:
        if family.raised is not None:
            raise family.raised
    finally:
        _family.reset(token)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """A function of its own: what a cell raises must not seem to be raised while its RuntimeError was handled."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """From now on what the code of cells has this loop call goes through their families; all else as before."""
    if not hasattr(loop, "__dict__"):  # written in C, as uvloop's: it has to do without
        return
    for name in _WAYS:
        if not _is_ours(vars(loop).get(name)):
            setattr(loop, name, partial(_told, getattr(loop, name)))


def unwatch() -> None:
    """The running loop, if there is one, is as it was before `watch`."""
    with suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        for name in _WAYS:
            if _is_ours(getattr(loop, "__dict__", {}).get(name)):
                delattr(loop, name)


def _is_ours(way: object) -> bool:
    return isinstance(way, partial) and way.func is _told


def _told(usual: Callable[..., Any], *arguments: Any, context: Context | None = None) -> Any:
    family = _family.get() if context is None else context.get(_family)
    if family is None:
        return usual(*arguments, context=context)
    *times, callback = arguments[: 1 + (usual.__name__ == "call_at")]
    return usual(*times, partial(family.call, callback), *arguments[len(times) + 1 :], context=context)
