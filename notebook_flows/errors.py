"""Every error that notebook_flows raises on purpose.

FlowError
├── FlowValidationError      a flow that cannot run; tells all its problems at once       (ValueError)
├── TaskCallError            a call that does not fit the task's function                 (TypeError)
├── NoActiveFlowError        a task was called, and no flow is open                       (ValueError)
├── ParameterError           unknown, missing or unreadable parameters of a run           (ValueError)
├── UnavailableError         a name of Prefect 1 that is not offered, with what to use    (NotImplementedError)
├── ExecutorError            a place where tasks run gave up
│   ├── UnknownExecutor      no executor has this name                                    (ValueError)
│   ├── WorkerDied           the process of one task ended before its outcome arrived
│   ├── RemoteError          a task's exception that could not travel, told in words
│   └── NotTransferable      a value, error or function that cannot be pickled
├── PictureError             a picture could not be laid out; in `views.layout`
├── ScheduleError            a schedule that cannot be; with what derives from it in `schedule.errors`     (ValueError)
├── SettingsError            a setting that cannot be understood; in `settings`                            (ValueError)
├── TaskCellError            a line `%%task` that cannot be understood; in `analysis.taskcell`              (ValueError)
├── NotebookError            a notebook that cannot be read or run; what derives from it in `notebook.errors`
├── Unhashable               a value or function without a fingerprint; in `fingerprints.errors`             (TypeError)
├── ShellCommandFailed       a `!command` of a task failed where that ends it
├── NeedsMainThread          a task asks for what only the kernel's main thread has; in `session.minishell`  (AttributeError)
├── UnseenRunError, RunOverError, WishError  what a Jupyter server is asked that it cannot do; in `server`
├── ArtifactError            a value that cannot be attached to a run; in `artifacts.content`                (ValueError)
└── StoreError               the history cannot be read or written
    ├── StoreUnavailable     for the moment: disk full, read-only, locked, server away
    ├── StoreCorrupt         the file is damaged or is no history of ours; BlobDamaged: a result, in `store.blobs`
    ├── StoreVersionError    written by a newer or older notebook_flows than this one
    ├── StaleOwnerError      another process has taken this run over
    ├── NoSuchBlob           the content of a result is gone; in `store.blobs`                               (LookupError)
    ├── CannotBeKept         a value that cannot be written as bytes; in `store.formats`
    ├── WouldUnpickle        a result is a pickle, and its reader runs no code; in `store.formats`
    └── NoSuchRun            no run has this id                                           (LookupError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class FlowError(Exception):
    """The root of the tree above."""


class FlowValidationError(FlowError, ValueError):
    """A flow that cannot run, with every problem that was found.

    Attributes:
        flow_name: the flow's name.
        problems: one sentence for each problem, at least one.
    """

    def __init__(self, flow_name: str, problems: Sequence[str]) -> None:
        super().__init__(flow_name, tuple(problems))
        self.flow_name = flow_name
        self.problems = tuple(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"Flow {self.flow_name!r} cannot run: {self.problems[0]}"
        listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return f"Flow {self.flow_name!r} cannot run, for {len(self.problems)} reasons:\n{listed}"


class TaskCallError(FlowError, TypeError):
    """A call, written while a flow is built, that does not fit the task's function."""

    def __init__(self, task_name: str, flow_name: str | None, reason: str) -> None:
        super().__init__(task_name, flow_name, reason)
        self.task_name = task_name
        self.flow_name = flow_name
        self.reason = reason

    def __str__(self) -> str:
        where = f" in flow {self.flow_name!r}" if self.flow_name else ""
        return f"Task {self.task_name!r}{where} cannot be called like this: {self.reason}"


class NoActiveFlowError(FlowError, ValueError):
    """A task was called, bound or wired where no flow is open."""

    def __init__(self, task_name: str) -> None:
        super().__init__(task_name)
        self.task_name = task_name

    def __str__(self) -> str:
        return (
            f"Could not infer an active Flow context for task {self.task_name!r}. Call it inside "
            "`with Flow(...) as flow:`, pass `flow=...`, or call its `.run(...)` to run the function alone."
        )


class ParameterError(FlowError, ValueError):
    """Parameters of a run that are unknown, missing or of the wrong kind."""


class UnavailableError(FlowError, NotImplementedError):
    """A name of Prefect 1 that notebook_flows does not offer; the message names what to use instead."""


class ExecutorError(FlowError):
    """The place where tasks run gave up."""


class UnknownExecutor(ExecutorError, ValueError):  # noqa: N818 - the sentence that people read
    """No executor has this name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class RemoteError(ExecutorError):
    """A task's exception that could not travel between processes, told in words.

    Attributes:
        type_name: the exception's class, with its module.
        message: its sentence.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(type_name, message)
        self.type_name = type_name
        self.message = message

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class WorkerDied(ExecutorError):  # noqa: N818 - the sentence that people read: "WorkerDied: ..."
    """The process that ran one task ended before the outcome arrived."""


class NotTransferable(ExecutorError):  # noqa: N818 - the sentence that people read
    """A value, an exception or a function that cannot be sent to, or back from, another process."""


class StoreError(FlowError):
    """The history cannot be read or written."""


class StoreUnavailable(StoreError):  # noqa: N818 - the sentence that people read
    """The history cannot be used for the moment: disk full, read-only, locked, server away."""


class StoreCorrupt(StoreError):  # noqa: N818 - the sentence that people read
    """The history's file is damaged, or is not a history of notebook_flows."""


class StoreVersionError(StoreError):
    """The history was written by a notebook_flows that this one does not understand."""


class StaleOwnerError(StoreError):
    """Another process has taken this run over; what this one still has to say is refused."""


class NoSuchRun(StoreError, LookupError):  # noqa: N818 - the sentence that people read
    """No run has this id."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The likely slip, as a sentence to append: `` Did you mean 'load'?``, or nothing."""
    from difflib import get_close_matches  # here: it costs more to import than this whole module

    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


class ShellCommandFailed(FlowError):  # noqa: N818 - the sentence that people read
    """A command of ``!`` has failed where that ends the task, or was stopped with its task.

    Attributes:
        command: its line.
        code: of its exit; negative: the signal that ended it.
        was_stopped: its task was.
    """

    def __init__(self, command: str, code: int, *, was_stopped: bool = False) -> None:
        super().__init__(command, code)
        self.command = command
        self.code = code
        self.was_stopped = was_stopped

    def __str__(self) -> str:
        if self.was_stopped:
            return f"!{self.command} was stopped, as its task was."
        how = f"was ended by signal {-self.code}" if self.code < 0 else f"failed with exit code {self.code}"
        return f"!{self.command} {how}. Add `|| true` to it if that is no failure."
