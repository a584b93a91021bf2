"""A coroutine as an asyncio task of its own, of which the event loop never hears more than that it has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def apart(coroutine: Coroutine[None, None, None], *, name: str) -> None:
    """Run it, with its own context variables.

    asyncio gives KeyboardInterrupt and SystemExit to whoever awaits a task, and raises them in the loop as well: a
    kernel's would end, and the notebook wait for ever. So they are carried out of the task in another way.

    Raises:
        BaseException: what the coroutine raises.
    """
    raised: list[BaseException] = []

    async def kept() -> None:
        try:
            await coroutine
        except (KeyboardInterrupt, SystemExit) as error:
            raised.append(error)

    await asyncio.create_task(kept(), name=name)
    if raised:
        raise raised.pop()


def was_cancelled() -> bool:
    """Whether somebody has cancelled the running asyncio task; else a CancelledError in it is the code's own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
