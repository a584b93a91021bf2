"""What travels between the engine and the place where a task runs: a call there, an outcome back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.engine.reference import Reference, content_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import AttachmentStore, ResultKeeper, ResultLoader


@dataclass(frozen=True, slots=True)
class Pickled:
    """A value that is still in the bytes in which another process sent it.

    The engine keeps and forwards it as it is; whoever needs the value calls `load`.
    """

    data: bytes

    def load(self) -> Any:
        """The value itself, unpickled anew at each call.

        Raises:
            Exception: whatever unpickling raises, for example where a module is missing here.
        """
        import pickle

        return pickle.loads(self.data)


class Stored:
    """A value that an earlier run has kept, and that nobody has asked for yet.

    Args:
        reference: to it, as the event has it, or its text as it lies in the history.
        inline: its content, where the history has it.
        store: what loads it.
    """

    __slots__ = ("_reference", "_store", "inline")

    def __init__(self, reference: Mapping[str, Any] | str, inline: bytes | None, store: ResultLoader) -> None:
        self._reference = reference
        self.inline = inline
        self._store = store

    @property
    def content(self) -> str | None:
        """The fingerprint of the value, if it is known."""
        content: str | None = content_of(self._reference)
        return content

    def load(self) -> Any:
        """The value itself, made anew at each call.

        Raises:
            StoreError: it is gone, damaged, or does not load here.
        """
        reference = self._reference
        return self._store.load(Reference(reference) if isinstance(reference, str) else reference, self.inline)


def unwrapped(value: Any) -> Any:
    """The value, loaded if it still is in another process's bytes, or in the store."""
    kind = type(value)
    return value.load() if kind is Pickled or kind is Stored else value


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What all attempts of one run have in common; picklable.

    Attributes:
        context: the keys that `notebook_flows.context` shows in every task of this run (flow name, run id, run name,
            parameters, scheduled start time, ...), without the per-task ones.
        keeps_results: the flow has a ``result``, so values without a ``target`` go there too.
        results: where values with a ``target`` go, unless their task says otherwise; picklable.
        keeper: keeps results for other runs, where that is wanted; picklable.
        attachments: where what tasks attach is kept; None: nowhere; picklable.
    """

    run_id: str
    flow_name: str
    context: Mapping[str, Any]
    results: Any = None
    keeps_results: bool = False
    keeper: ResultKeeper | None = None
    attachments: AttachmentStore | None = None


@dataclass(slots=True)
class Call:
    """One attempt of one task run.

    Attributes:
        ref: the engine's own number of the task run; comes back in the outcome.
        task: what to run. Within a run the same task object belongs to the same ``task_key``: an executor
            that sends tasks elsewhere sends each ``task_key`` once per worker.
        arguments: keyword arguments of `task.run`; a value may be `Pickled`, also inside the lists of ``gathered``.
        gathered: names of the arguments whose value is a list of the children of a mapped task.
        facts: of the run.
        is_plain: no handlers, no timeout, no context argument, no captured stdout, no target: just call it.
        context: per-task keys of `notebook_flows.context`, if there are any.
        timeout_s: seconds that the attempt may take, or None.
        is_async: `task.run` is a coroutine function.
        then: the call to go on with after success, on the same worker, with this one's value as ``passes_to``;
            the rest of a segment.
        passes_to: the argument of ``then`` that gets this call's value; None where only the order counts.
    """

    ref: int
    task_key: int
    task: Task
    arguments: dict[str, Any]
    facts: RunFacts
    attempt: int = 1
    loop: int = 1
    index: int = -1
    gathered: tuple[str, ...] = ()
    is_plain: bool = True
    context: Mapping[str, Any] | None = None
    upstream_states: Mapping[Any, Any] | None = None
    timeout_s: float | None = None
    is_async: bool = False
    then: Call | None = None
    passes_to: str | None = None


class Outcome(NamedTuple):
    """How one attempt ended.

    Attributes:
        ref: from the call.
        attempt: from the call; an outcome whose attempt is no longer current is discarded.
        state: SUCCESS, FAILED, TIMED_OUT, SKIPPED, RETRYING, PAUSED, LOOPED, CACHED, CANCELLED, CRASHED...
        value: the result, or the exception of a failure; may be `Pickled`.
        message: one sentence; empty for a plain success.
        started_us: microseconds since 1970, UTC, by the worker's clock.
        ended_us: the same, at the end.
        details: more for the event (proposed state, traceback text, retry time), as JSON; or None.
    """

    ref: int
    attempt: int
    state: S
    value: Any
    message: str
    started_us: int
    ended_us: int
    details: Mapping[str, Any] | None = None


class LogLine(NamedTuple):
    """One record of the standard library's logging, or one printed line, of one task run.

    Attributes:
        at_us: microseconds since 1970, UTC.
        level: as in `logging`: 10, 20, 30, 40, 50.
        logger: the logger's name; ``stdout`` and ``stderr`` for captured prints.
        node: the task's number in the graph, or -1 for the run itself.
        index: the child's number below a mapped task, or -1.
    """

    at_us: int
    level: int
    logger: str
    message: str
    node: int
    index: int  # type: ignore[assignment] # hides tuple.index, which no line needs
    attempt: int
