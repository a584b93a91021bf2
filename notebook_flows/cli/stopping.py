"""Ctrl-C, SIGTERM and ``cancel`` while a run is on: the first stops it in good order, the second ends the process."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from notebook_flows.cli.exits import Exit
from notebook_flows.views.pinned import let_go_of_terminals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run

FORCED_AFTER_S = 1.0
"""How long the second Ctrl-C still waits for what is being written."""
LEAVE_WITHIN_S = 0.5
"""How long threads that a task has left behind may hold up the end of a run that was stopped."""
LOOK_EVERY_S = 0.5
TERMINATED = "Terminated (SIGTERM)."
ENGINE_LOOKS_WITHIN_S = 1.2
"""How long an engine that no task holds up takes at most to see a request by itself."""


class Stops:
    """While inside, the run that goes on in the main thread can be stopped from outside.

    It is an observer too: at the run's first event it takes its place before the engine's own handler of SIGINT, which
    it passes everything on to.

    Args:
        is_asked: whether another process has asked for the run to be cancelled; None: nobody can. A task that runs in
            the engine's own thread keeps the engine from looking, so somebody else has to.
        says: called, from a signal handler, when the run begins to stop.

    Attributes:
        reason: the exit code that goes with what has stopped it; None if nothing has.
    """

    def __init__(self, *, is_asked: Callable[[], bool] | None = None, says: Callable[[], None] | None = None) -> None:
        self.reason: Exit | None = None
        self._is_asked = is_asked
        self._says = says
        self._times = 0
        self._sigterm_before: Any = None
        self._sigint_before: Any = None
        self._engine: Any = None
        self._run: Run | None = None
        self._over = threading.Event()
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._is_main:
            self._sigterm_before = signal.signal(signal.SIGTERM, self._terminated)
            self._sigint_before = signal.signal(signal.SIGINT, self._early)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._is_main:
            signal.signal(signal.SIGTERM, self._sigterm_before)
            signal.signal(signal.SIGINT, self._sigint_before)
        if self._times:
            _leave_within(LEAVE_WITHIN_S, self.reason or Exit.INTERRUPTED)

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """The run goes on."""
        if self._run is None and self._is_main:
            self._engine = signal.getsignal(signal.SIGINT)
            signal.signal(signal.SIGINT, self._interrupted)
            if self._is_asked is not None:
                threading.Thread(target=self._look, name="notebook-flows-cancel", daemon=True).start()
        self._run = run

    @property
    def _ignores_ctrl_c(self) -> bool:
        """Whether we were started like this, behind nohup or a shell's ``&``; SIGTERM is heard all the same."""
        return self._sigint_before is signal.SIG_IGN

    def _early(self, number: int, frame: Any) -> None:
        """SIGINT before the engine has taken it over, or passed on by the engine to whom it found there."""
        if self.reason is Exit.TERMINATED:
            raise KeyboardInterrupt(TERMINATED)
        if self._times or not self._ignores_ctrl_c:
            raise KeyboardInterrupt

    def _interrupted(self, number: int, frame: Any) -> None:
        if not self._ignores_ctrl_c:
            self._stop(Exit.INTERRUPTED, frame)

    def _terminated(self, number: int, frame: Any) -> None:
        self._stop(Exit.TERMINATED, frame)

    def _stop(self, reason: Exit, frame: Any) -> None:
        """Pass it on to the engine, which stops between two of its steps: raised just anywhere, it would lose events."""
        self._times += 1
        self.reason = self.reason or reason
        if self._times == 1 and self._says is not None:
            self._says()
        if self._times == 2:
            _leave_within(FORCED_AFTER_S, self.reason, "\nEnded at once.\n")
        handler: Any = self._engine or signal.getsignal(signal.SIGINT)
        handler(signal.SIGINT, frame)

    def _look(self) -> None:
        """Interrupt a task in the main thread that another process wants cancelled."""
        assert self._is_asked is not None
        main = threading.main_thread().ident
        assert main is not None
        while not self._over.wait(LOOK_EVERY_S):
            if self._is_asked():
                self._over.wait(ENGINE_LOOKS_WITHIN_S)
                if self._run is not None and self._run.stopping is None and not self._over.is_set():
                    self.reason = self.reason or Exit.CANCELLED
                    signal.pthread_kill(main, signal.SIGTERM)  # to our own handler: a real signal ends a sleep
                return


def _leave_within(seconds: float, code: int, saying: str = "") -> None:
    """End the process with this code if it is still there then, whatever its threads do."""

    def leave() -> None:
        time.sleep(seconds)
        let_go_of_terminals()
        if saying:
            os.write(2, saying.encode())
        os._exit(code)

    threading.Thread(target=leave, name="notebook-flows-leave", daemon=True).start()
