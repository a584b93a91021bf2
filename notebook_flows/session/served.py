"""One attempt of a task cell in a kernel that a client drives: its code, its values, and the message that closes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.session.exclusive import run_exclusive, run_exclusive_on_loop
from notebook_flows.session.private import run_on_loop, run_private
from notebook_flows.session.publishing import Publisher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.code import CellCode
    from notebook_flows.session.outputs import CellSink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues

MESSAGE = "notebook_flows_task"
"""The type of the message that tells how a task cell has ended."""
EXECUTION_STATES = {True: "success", False: "failed"}


@dataclass(kw_only=True)
class ServedAttempt:
    """One try at one cell.

    Attributes:
        task: what the client calls the cell.
        number: 1 for the first try.
        values: of the names that the cell reads, in their versions at its place.
        predicted: names that it may bind or delete.
        absent: names of the namespace that do not exist at its place.
        is_alone: it runs in the notebook's own namespace, and nothing else meanwhile.
        is_cancelled: nobody waits for it any more; it leaves nothing.
        result: what it has made.
    """

    task: str
    number: int
    record: CellRecord
    code: CellCode
    sink: CellSink
    shell: Any
    values: Mapping[str, Any]
    predicted: frozenset[str]
    absent: frozenset[str]
    is_alone: bool
    strict_shell: bool = False
    is_cancelled: bool = False
    result: CellValues | None = None
    error: BaseException | None = None
    _began_us: int = field(default_factory=lambda: time_ns() // 1000)

    @property
    def who(self) -> tuple[str, int]:
        """What tells it apart from all others."""
        return self.task, self.number

    @property
    def awaits(self) -> bool:
        """It needs the kernel's event loop."""
        return self.code.awaits

    # -- run -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run it in the calling thread, in names of its own.

        Raises:
            NeedsRealNamespace: it cannot; nothing has been run.
        """
        from notebook_flows.session.private import NeedsRealNamespace

        try:
            self.result = run_private(self.code, strict_shell=self.strict_shell, **self._given())
        except NeedsRealNamespace:
            raise
        except BaseException as error:
            self.error = error

    def run_alone(self) -> None:
        """Run it in the notebook's own namespace, on the main thread; nothing else may run meanwhile."""
        try:
            self.result = run_exclusive(self.code, **self._given())
        except BaseException as error:
            self.error = error

    async def follow(self) -> None:
        """Run it on the running loop.

        Raises:
            CancelledError: the kernel was interrupted; the cell was told so.
        """
        try:
            if self.is_alone:
                self.result = await run_exclusive_on_loop(self.code, **self._given())
            else:
                self.result = await run_on_loop(self.code, strict_shell=self.strict_shell, **self._given())
        except asyncio.CancelledError:
            self.error = KeyboardInterrupt("The kernel was interrupted.")
            raise
        except BaseException as error:
            self.error = error

    def _given(self) -> dict[str, Any]:
        return {
            "values": self.values,
            "user_ns": self.shell.user_ns,
            "sink": self.sink,
            "shell": self.shell,
            "predicted": self.predicted,
            "absent": self.absent,
        }

    # -- told ----------------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Say how it has ended, after all that it has shown."""
        self.sink.end()
        content: dict[str, Any] = {
            "task": self.task,
            "attempt": self.number,
            "state": EXECUTION_STATES[self.error is None],
            "started_us": self._began_us,
            "ended_us": time_ns() // 1000,
            "execution_count": self.sink.execution_count,
            "unpredicted": sorted(self.result.unpredicted) if self.result is not None else [],
        }
        if self.error is not None:
            content.update(self._shown_error(self.error))
        publish(self.shell, self.sink.parent, content)
        self.error = None  # its frames are freed

    def _shown_error(self, error: BaseException) -> dict[str, Any]:
        """As it was shown in the cell."""
        shown = next((one for one in reversed(self.sink.outputs) if one["output_type"] == "error"), None)
        if shown is None:
            sentence = f"{type(error).__name__}: {error}"
            return {"ename": type(error).__name__, "evalue": str(error), "traceback": [sentence]}
        return {key: shown[key] for key in ("ename", "evalue", "traceback")}


def publish(shell: Any, parent: Any, content: dict[str, Any]) -> None:
    """Send the message; any thread may."""
    Publisher(parent, shell.kernel).send(MESSAGE, content)


def publish_failure(shell: Any, parent: Any, order: Mapping[str, Any], error: BaseException) -> None:
    """Tell of an attempt that could not even begin."""
    name = type(error).__name__
    now_us = time_ns() // 1000
    told = {"ename": name, "evalue": str(error), "traceback": [f"{name}: {error}"], "state": EXECUTION_STATES[False]}
    times: dict[str, Any] = {"started_us": now_us, "ended_us": now_us, "execution_count": None, "unpredicted": []}
    publish(shell, parent, {"task": order.get("task"), "attempt": order.get("attempt"), **told, **times})
