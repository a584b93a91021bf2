"""One attempt of a task cell in a kernel that a client drives, and the message that closes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.wording import named, said
from notebook_flows.errors import WorkerDied
from notebook_flows.session.apart import was_cancelled
from notebook_flows.session.hearing import Hearing
from notebook_flows.session.publishing import Publisher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.celltask import KernelCellTask
    from notebook_flows.session.outputs import CellSink
    from notebook_flows.session.values import CellValues

MESSAGE = "notebook_flows_task"
"""The type of the message that tells how a task cell has ended, or that it waits."""
TEXT_MESSAGE = "notebook_flows_text"
"""The type of the message with text that several tasks may have written, past Python: ``name`` and ``text``."""
WAITING, RUNNING = "waiting", "running"
"""What it says of an attempt that goes on: it waits for others, or has waited and begins. Its time is counted meanwhile."""
SUCCESS, FAILED, CRASHED, CACHED = "success", "failed", "crashed", "cached"


@dataclass(kw_only=True)
class ServedAttempt:
    """One try at one cell.

    Attributes:
        name: what the client calls the cell.
        number: 1 for the first try.
        task: runs the cell.
        borrows: it runs in the notebook's own namespace, and nothing else meanwhile.
        is_cancelled: nobody waits for it any more; it leaves nothing.
        result: what it has made.
        error: what it has raised.
        state: how it has ended, if that is not told by its error.
        more: for the message that tells its end.
    """

    name: str
    number: int
    task: KernelCellTask
    sink: CellSink
    kernel: Any
    borrows: bool = False
    is_cancelled: bool = False
    result: CellValues | None = None
    error: BaseException | None = None
    state: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    _waits: bool = False
    _began_us: int = field(default_factory=lambda: time_ns() // 1000)

    @property
    def who(self) -> tuple[str, int]:
        """What tells it apart from all others."""
        return self.name, self.number

    @property
    def key(self) -> str:
        """Of the cell."""
        return self.task.key

    def run(self) -> None:
        """Run it in the calling thread."""
        try:
            self.result = self.task.values_of(self.task.run())
        except BaseException as error:  # told to the client; the thread has nobody else to tell
            self.error = error

    async def follow(self) -> None:
        """Run it on the running loop.

        Raises:
            CancelledError: the kernel was interrupted; the client is told so as well.
        """
        hearing = Hearing(is_kernel=True)
        hearing.begin()
        try:
            self.result = self.task.values_of(await self.task.run())
        except asyncio.CancelledError as error:
            if self.key not in hearing.hit and not was_cancelled():
                self.error = error  # its own code has raised it, for it has awaited a cancelled task
                return
            self.error = KeyboardInterrupt("The kernel was interrupted.")
            raise
        except BaseException as error:  # as above
            self.error = error
        finally:
            hearing.end()

    def stop(self) -> None:
        """It waits for others: the client counts its time no further. With `go_on`, a `waiting.Clock`."""
        self._waits = True
        self._tell_that(WAITING)

    def go_on(self) -> None:
        """It has waited."""
        if self._waits:
            self._waits = False
            self._tell_that(RUNNING)

    def _tell_that(self, state: str) -> None:
        publish(self.kernel, self.sink.parent, {"task": self.name, "attempt": self.number, "state": state})

    def tell(self) -> None:
        """Say how it has ended, after all that it has shown."""
        self.sink.end()
        told: dict[str, Any] = {
            "task": self.name,
            "attempt": self.number,
            **self.more,
            "state": self.state or _state_of(self.error),
            "started_us": self._began_us,
            "ended_us": time_ns() // 1000,
            "execution_count": self.sink.execution_count,
            "unpredicted": sorted(self.result.unpredicted) if self.result is not None else [],
        }
        if self.error is not None:
            told.update(self._shown_error(self.error))
        publish(self.kernel, self.sink.parent, told)
        self.error = None  # its frames are freed

    def _shown_error(self, error: BaseException) -> dict[str, Any]:
        """As it was shown in the cell."""
        shown = next((one for one in reversed(self.sink.outputs) if one["output_type"] == "error"), None)
        return {key: shown[key] for key in ("ename", "evalue", "traceback")} if shown is not None else _told(error)


def _state_of(error: BaseException | None) -> str:
    if error is None:
        return SUCCESS
    return CRASHED if isinstance(error, WorkerDied) else FAILED


def publish(kernel: Any, parent: Any, told: dict[str, Any]) -> None:
    """Send the message; any thread may."""
    Publisher(parent, kernel).send(MESSAGE, told)


def publish_text(kernel: Any, name: str, text: str) -> None:
    """Send what nobody knows the task of, below no request; any thread may."""
    Publisher({}, kernel).send(TEXT_MESSAGE, {"name": name, "text": text})


def publish_failure(kernel: Any, parent: Any, order: Mapping[str, Any], error: BaseException) -> None:
    """Tell of an attempt that could not even begin."""
    now_us = time_ns() // 1000
    names = {"task": order.get("task"), "attempt": order.get("attempt"), "state": FAILED}
    times: dict[str, Any] = {"started_us": now_us, "ended_us": now_us, "execution_count": None, "unpredicted": []}
    publish(kernel, parent or {}, {**names, **times, **_told(error)})


def _told(error: BaseException) -> dict[str, Any]:
    name = type(error).__name__
    return {"ename": name, "evalue": said(error), "traceback": [named(error)]}
