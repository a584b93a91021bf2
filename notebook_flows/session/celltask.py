"""A task cell as a task of our engine: whichever lane it takes, one attempt gives its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.task import Task
from notebook_flows.engine.call import unwrapped
from notebook_flows.errors import FlowError
from notebook_flows.session.exclusive import run_exclusive, run_exclusive_on_loop
from notebook_flows.session.lanes import Lane
from notebook_flows.session.private import NeedsRealNamespace, run_on_loop, run_private
from notebook_flows.session.remote import Errand, Sending, SentValues
from notebook_flows.session.values import CellValues
from notebook_flows.session.waiting import timed_by, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from notebook_flows.session.code import CellCode
    from notebook_flows.session.minishell import MiniShell
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.waiting import Clock

_HERE = frozenset(
    {
        "code",
        "trigger",
        "_user_ns",
        "_inputs",
        "_sink",
        "_shell",
        "_alone",
        "_given",
        "_clock",
        "_attempt",
        "_mini",
        "_sending",
    }
)
"""What stays in the process of the notebook."""


class GivenUp(FlowError):  # noqa: N818 - the sentence that people read
    """An attempt was cancelled, or its time was up, before it had its turn to be alone."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Task {self.name!r} was given up before it had its turn to run alone."


class KernelCellTask(Task):
    """A task cell, run where its lane says: by `run_private`, `run_on_loop`, `run_exclusive` or in a worker process.

    Args:
        code: from `prepare`.
        user_ns: the notebook's namespace.
        inputs: called when an attempt begins, in this process: the values of the names that the cell reads, those
            that functions read late included; more names do no harm. Names that it does not give are as in
            ``user_ns``. It may be called again within one attempt.
        sink: called when an attempt begins: where its output goes.
        lane: where it runs. On ``MAIN`` it borrows ``user_ns``: no other task may run meanwhile.
        shell: the kernel's InteractiveShell; None without one.
        hands_back: inputs that the cell may change; a process sends them back.
        needed: names that other cells read; a process may leave others behind if they cannot be sent. None: all.
        predicted: names that it may bind or delete; what the analysis says unless given.
        unsettled: names that others may bind in ``user_ns`` while the cell runs; functions that read them are re-bound.
        absent: names of ``user_ns`` that do not exist at the cell's place in the notebook.
        alone: makes a call on the main thread while no other task runs, with all that is done landed; without it, a
            cell that cannot run privately fails with `NeedsRealNamespace`.
        borrows: on the loop, the cell borrows ``user_ns`` as on ``MAIN``.
        strict_shell: a failing ``!command`` fails the cell.
        clock: called in the attempt's own thread: what counts its time.
        options: those of `Task`.

    Attributes:
        has_main_thread: an attempt that began in a thread runs on the main thread now, as it has to be alone.
    """

    _errand: Errand | None = None

    def __init__(
        self,
        code: CellCode,
        *,
        user_ns: dict[str, Any],
        inputs: Callable[[], Mapping[str, Any]],
        sink: Callable[[], Sink],
        lane: Lane = Lane.THREADS,
        shell: Any = None,
        hands_back: Collection[str] = (),
        needed: frozenset[str] | None = None,
        predicted: frozenset[str] | None = None,
        unsettled: Collection[str] = (),
        absent: Collection[str] = (),
        alone: Callable[[Callable[[], Any]], Any] | None = None,
        borrows: bool = False,
        strict_shell: bool = False,
        clock: Callable[[], Clock | None] = lambda: None,
        **options: Any,
    ) -> None:
        super().__init__(name=options.pop("name", code.name), **options)
        self.code = code
        self.lane = lane
        self._user_ns = user_ns
        self._inputs = inputs
        self._sink = sink
        self._shell = shell
        self._alone = alone
        self._borrows = borrows
        self._hands_back = frozenset(hands_back)
        self._needed = needed
        self._unsettled = frozenset(unsettled)
        self._given: dict[str, Any] = {"absent": frozenset(absent), "predicted": predicted}
        self._strict_shell = strict_shell
        self._clock = clock
        self.has_main_thread = False
        self._attempt: object = None
        self._mini: MiniShell | None = None
        self._sending: Sending | None = None

    @property
    def key(self) -> str:
        """Of its cell."""
        return self.code.key

    @property
    def is_alone(self) -> bool:
        """Whether it borrows the notebook's namespace, so that no other cell may run meanwhile."""
        return self.lane is Lane.MAIN or (self.lane is Lane.LOOP and self._borrows)

    def run(self) -> Any:
        """One attempt.

        Returns:
            What `values_of` makes `CellValues` of; on the loop a coroutine that gives it.
        Raises:
            BaseException: what the cell raises; its traceback has been shown in the sink.
        """
        if self._errand is not None:
            from notebook_flows.session.awaycell import run_errand

            return run_errand(self._errand)
        sink = self._sink()
        if self.lane is Lane.LOOP:
            return self._run_on_loop(sink)
        if self.lane is Lane.MAIN:
            return self._run_alone(sink)
        self._attempt = attempt = object()
        with timed_by(self._clock()):
            return self._run_in_thread(sink, attempt)

    def values_of(self, value: Any) -> CellValues:
        """What an attempt has made, from the value of its outcome; to be asked for once, before other tasks use it.

        Raises:
            NotTransferable: a value that has come from another process cannot be read here.
        """
        value = unwrapped(value)
        if isinstance(value, CellValues):
            return value
        if not isinstance(value, SentValues) or self._sending is None:
            raise FlowError(f"Task {self.name!r} has no values here: {type(value).__name__}.")
        sending, self._sending = self._sending, None
        return sending.received(value)

    @property
    def mini_shell(self) -> MiniShell | None:
        """That of the present attempt; None where it has none here."""
        return self._mini

    def give_up(self) -> None:
        """Nobody waits for the attempt any more: where it waits for others, it does not go on."""
        self._attempt = None

    def stop(self) -> None:
        """Give the attempt up, and end the commands that it runs; Python code cannot be ended."""
        self.give_up()
        if self._mini is not None:
            self._mini.stop()

    def forget(self) -> None:
        """The run is over: hold no values of it."""
        self._mini = self._sending = None

    # -- the ways to run -------------------------------------------------------------------------------------------------

    def _run_in_thread(self, sink: Sink, attempt: object) -> CellValues:
        try:
            return self._run_private(sink)
        except NeedsRealNamespace:
            if self._alone is None:
                raise
        with waiting():
            self._alone(_nothing)  # once all has landed, there may be nothing in the way any more
        self._look_whether_wanted(attempt)
        try:
            return self._run_private(sink)
        except NeedsRealNamespace:
            with waiting() as clock:
                made: CellValues = self._alone(lambda: self._run_alone_now(sink, attempt, clock))
            return made

    def _look_whether_wanted(self, attempt: object) -> None:
        if self._attempt is not attempt:
            raise GivenUp(self.name)

    def _run_alone_now(self, sink: Sink, attempt: object, clock: Clock | None) -> CellValues:
        """It has waited; on the main thread, whose lane the engine does not know it in."""
        self._look_whether_wanted(attempt)
        if clock is not None:
            clock.go_on()
        self.has_main_thread = True
        try:
            return self._run_alone(sink)
        finally:
            self.has_main_thread = False

    def _run_private(self, sink: Sink) -> CellValues:
        return run_private(
            self.code,
            values=self._inputs(),
            user_ns=self._user_ns,
            sink=sink,
            shell=self._shell,
            strict_shell=self._strict_shell,
            unsettled=self._unsettled,
            begun=self._has_begun,
            **self._given,
        )

    def _has_begun(self, mini: MiniShell) -> None:
        self._mini = mini

    def _run_alone(self, sink: Sink) -> CellValues:
        return run_exclusive(
            self.code, values=self._inputs(), user_ns=self._user_ns, sink=sink, shell=self._shell, **self._given
        )

    async def _run_on_loop(self, sink: Sink) -> CellValues:
        if not self._borrows:
            try:
                return await run_on_loop(
                    self.code,
                    values=self._inputs(),
                    user_ns=self._user_ns,
                    sink=sink,
                    shell=self._shell,
                    strict_shell=self._strict_shell,
                    unsettled=self._unsettled,
                    begun=self._has_begun,
                    **self._given,
                )
            except NeedsRealNamespace:
                if self._alone is None:
                    raise
                self._alone(_nothing)
        return await run_exclusive_on_loop(
            self.code, values=self._inputs(), user_ns=self._user_ns, sink=sink, shell=self._shell, **self._given
        )

    # -- another process -------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker process, made when an attempt is about to go there: its inputs as they are now.

        Raises:
            NotTransferable: a value that the cell reads cannot be sent.
        """
        self._sending = Sending(
            self.code,
            values=self._inputs(),
            user_ns=self._user_ns,
            sink=self._sink(),
            shell=self._shell,
            hands_back=self._hands_back,
            needed=self._needed,
            strict_shell=self._strict_shell,
            **self._given,
        )
        kept = {name: value for name, value in super().__getstate__().items() if name not in _HERE}
        return {**kept, "_errand": self._sending.errand}


def _nothing() -> None:
    """What is made while no task runs, where only the landing counts."""
