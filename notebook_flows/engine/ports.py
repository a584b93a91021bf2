"""What the engine asks of the world: the protocols that event logs, executors and clocks fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.run import Run
    from notebook_flows.engine.bell import Bell
    from notebook_flows.engine.call import Call, LogLine, Outcome, RunFacts


class Clock(Protocol):
    """The time, injected: tests have one that they turn by hand."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC. May jump; for what is recorded."""

    def monotonic_s(self) -> float:
        """Seconds since some moment. Never jumps; for waiting."""


class WaitingClock(Clock, Protocol):
    """A clock by which can be waited."""

    def sleep_s(self, seconds: float) -> None:
        """Wait; Ctrl-C ends it."""

    def wait(self, bell: Bell, until_s: float | None, *, look_s: float) -> None:
        """Wait until the bell rings or the time has come, while nothing is under way; return too early, if you like.

        Args:
            bell: rung from another thread, or by Ctrl-C.
            until_s: seconds from now; None: there is nothing to wait for but the bell.
            look_s: return after so many seconds of real time at the latest.
        """


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What is known of a run before its first event.

    Attributes:
        run_id: 32 hexadecimal digits.
        slugs: the n task slugs, in the order of the graph's numbers.
        parameters: JSON values; secrets already masked.
        graph: the graph as JSON, as the first event carries it.
        environment: Python version, platform, git commit and the like; JSON.
        created_us: when it began, microseconds since 1970, UTC, where the history hears of it later.
    """

    run_id: str
    flow_name: str
    run_name: str
    slugs: Sequence[str]
    executor: str
    parent_run_id: str | None = None
    scheduled_us: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    graph: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    created_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What another process asks of a running run.

    Attributes:
        number: grows with each request of the run.
        verb: ``cancel``, ``retry``, ...
    """

    number: int
    verb: str
    payload: Mapping[str, Any]


class KeptContent(NamedTuple):
    """What the history takes over beside the events that refer to it, in the same transaction or an earlier one.

    Attributes:
        sha256: of the content.
        content: small enough to lie in the history; None: it lies elsewhere.
        key: under which other runs may find it; None: it is for this run alone, and what resumes it.
        found: what they find, as JSON; see `KnownResult`.
    """

    sha256: str
    content: bytes | None
    key: str | None = None
    found: Mapping[str, Any] | None = None


class KnownResult(NamedTuple):
    """A result that some run has kept under a key.

    Attributes:
        key: under which it was kept.
        run_id: of the run that made it.
        task: its slug.
        index: the child's number below a mapped task, or -1.
        took_us: how long that took.
        created_us: when.
        reference: to its content; with ``content``, the fingerprint of the value.
        inline: its content, where that lies in the history and is there.
        used_us: when it was last of use; 0 where that is not known.
    """

    key: str
    run_id: str
    task: str
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs here
    took_us: int
    created_us: int
    reference: Mapping[str, Any]
    inline: bytes | None
    used_us: int = 0


class KnownResults(Protocol):
    """What a history knows of results of earlier runs; for one thread."""

    def find(self, key: str) -> KnownResult | None:
        """The result under this key, if there is one."""

    def content(self, sha256: str) -> bytes | None:
        """Content that lies in the history; None: it does not."""

    def close(self) -> None:
        """Look no more."""


class ResultLoader(Protocol):
    """Loads kept results."""

    def load(self, reference: Mapping[str, Any], inline: bytes | None = None) -> Any:
        """The value behind a reference.

        Raises:
            StoreError: it is gone, damaged, or does not load here.
        """


class ResultKeeper(Protocol):
    """Keeps results, in whatever thread or process they come about; it pickles."""

    def keep(self, task_key: int, value: Any) -> dict[str, Any] | None:
        """Keep the result of a task.

        Returns:
            ``result``, the reference for the event, and ``inline``, content for the history; or ``why`` it cannot be
            kept; None: this task's results are not to be kept.
        """


class AttachmentStore(Protocol):
    """Keeps what tasks attach to their runs, in whatever thread or process they do so; it pickles."""

    def without_secrets(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """The description of an artifact, without the values of the run's secrets."""

    def keep(self, content: bytes) -> tuple[dict[str, Any], bytes | None]:
        """Keep content, without the values of the run's secrets.

        Returns:
            The reference for the event, and the content, if the history is to take it over with that event.
        Raises:
            StoreError: it cannot be kept.
            FlowError: it has a secret in it that cannot be taken out.
        """


class Taken(NamedTuple):
    """What becomes of a task run that need not run.

    Attributes:
        state: how it stands.
        value: its result, usually `engine.call.Stored`.
        message: where it is from.
        data: more for the event, which it becomes.
    """

    state: S
    value: Any
    message: str
    data: dict[str, Any]


class Reuse(Protocol):
    """What earlier runs have left that this one can use, and what this one leaves to others.

    Attributes:
        looks_at: the tasks about which it has something to say.
    """

    looks_at: frozenset[int]

    def find(self, number: int, node: int, index: int) -> Taken | None:
        """A result that makes it needless to run this task run, which is about to start; None: run it."""

    def begins_again(self, number: int, node: int, index: int) -> None:
        """It is tried again: it counts as given what it gets now, which an earlier attempt may have changed."""

    def ended(self, number: int, node: int, index: int, kept: Mapping[str, Any], took_us: int) -> Mapping[str, Any]:
        """It has run, and its result was kept, or not.

        Args:
            number: of the task run.
            node: its task.
            index: the child's number below a mapped task, or -1.
            kept: what the keeper has said.
            took_us: how long it took.
        Returns:
            What its event says of the result. Content that goes into the history has been handed to it.
        """

    def skipped(self, number: int, node: int) -> Mapping[str, Any] | None:
        """It has run, and has skipped itself; returns what its event says in place of a result."""

    def close(self) -> None:
        """The run has ended."""


class RunLog(Protocol):
    """The history of one run, owned by this process until `close`.

    Methods are called from one thread, the engine's; `add_log_lines` from any.
    """

    def append(self, events: Sequence[Event]) -> None:
        """Take events over, to be committed in a group soon; returns at once.

        Raises:
            StaleOwnerError: another process has taken the run over.
            StoreError: the log gave up; nothing more will be recorded.
        """

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Take log lines over; they are committed with the next group."""

    def keep(self, contents: Sequence[KeptContent]) -> None:
        """Take contents over; they are committed before, or with, the events that are appended after this."""

    def may_start(self) -> bool:
        """Whether new tasks may start: False while the log cannot be written."""

    def flush(self) -> None:
        """Return when everything appended so far is committed.

        Raises:
            StoreError: it could not be; the message says where the spool is.
        """

    def requests(self, *, at_once: bool = False) -> Sequence[Request]:
        """What other processes have asked since the last call. Cheap: looks at most twice a second, unless ``at_once``."""

    def close(self, patience_s: float | None = None) -> None:
        """Flush, and give the ownership up.

        Args:
            patience_s: wait so long at most, for somebody waits for the prompt; the rest is committed in the
                background, and the ownership given up then.
        Raises:
            StoreError: not everything is committed, or not yet.
        """


class EventLog(Protocol):
    """Where histories are kept."""

    def begin(self, info: RunInfo) -> RunLog:
        """Open a new run, owned by this process."""


class Observer(Protocol):
    """Something that shows how a run goes, in the same process."""

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened; ``run`` is where it stands now, to be read at once and not changed.

        Called from the engine's thread, so it has to be quick; one that raises is logged and not called again.
        """


class Inbox(Protocol):
    """Where executors put outcomes; any thread may."""

    def put(self, outcome: Outcome) -> None:
        """Hand one outcome over, and wake the engine."""

    def put_many(self, outcomes: Sequence[Outcome]) -> None:
        """Hand several over at once."""

    def wake(self) -> None:
        """Wake the engine without an outcome."""

    def interrupt(self) -> None:
        """Stop the run, as Ctrl-C does where the engine has the main thread."""


class Executor(Protocol):
    """A place where attempts run. One run at a time uses it; `start` and `stop` enclose the run.

    Attributes:
        name: what the history says, for example ``threads(8)``.
        workers: how many attempts may run side by side.
        works_here: attempts run in the engine's own thread, one each time it calls `work`. Such an executor may also have
            ``keeps_order = True``: it makes calls in the order in which they came, so it may be given several at once.
        is_remote: attempts run in other processes: values come back as `Pickled`, functions must pickle.
        takes_segments: `Call.then` is followed; else every call comes alone.
    """

    name: str
    workers: int
    works_here: bool
    is_remote: bool
    takes_segments: bool

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks. Every call yields an outcome, whatever happens to it."""

    def work(self) -> bool:
        """Run one waiting call in the calling thread, if this executor works there; False where there is none."""

    def cancel(self, ref: int, attempt: int) -> bool:
        """Stop one attempt if that can be done; True if no outcome of it will come any more or CANCELLED will."""

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within 2 s whatever the tasks do.

        Args:
            cancel_running: drop what waits and stop what runs; else all calls have ended already.
        Returns:
            The names of the tasks that could not be stopped and still run (threads only).
        """
