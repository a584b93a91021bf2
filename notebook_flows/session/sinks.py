"""Where what cells of a run put out is shown: below them where a front end shows that, and to the run's log."""

from __future__ import annotations

import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook.streams import Lines
from notebook_flows.session.below import BelowSink
from notebook_flows.session.outputs import CellSink, RecordingSink
from notebook_flows.views.text import printable

if TYPE_CHECKING:
    from notebook_flows.session.below import Below
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session


def fresh_sink(
    shell: Any, record: CellRecord, before: RecordingSink | None, *, below: Below | None = None
) -> RecordingSink:
    """A fresh place for the outputs of a cell: below it, where the front end shows it.

    Args:
        shell: IPython's.
        record: the cell.
        before: its last one.
        below: where the outputs of cells are shown that have no place of their own; None: they are only kept.
    """
    if before is not None:
        before.mute()  # the thread of an attempt that was given up may still print
    if is_kernel(shell) and record.parent is not None:
        sink: RecordingSink = CellSink(record.parent, execution_count=record.execution_count)
        sink.clear(wait=True)
    elif below is not None:
        sink = BelowSink(below, who=printable(record.name), execution_count=record.execution_count)
    else:
        sink = RecordingSink(execution_count=record.execution_count)
    sink.lines = _log_lines()
    return sink


def interactive_sink(session: Session) -> RecordingSink:
    """Where what the calling cell shows goes: below that cell, also when it has ended; or to who captures it."""
    shell = session.shell
    is_captured = isinstance(sys.stdout, StringIO)  # by `%%capture`, or `redirect_stdout`
    if is_kernel(shell) and not is_captured:
        return CellSink(shell.get_parent())
    return _Terminal()


def is_kernel(shell: Any) -> bool:
    """Whether the shell is that of a kernel, so that outputs can be shown below any cell."""
    return getattr(shell, "kernel", None) is not None


class _Terminal(RecordingSink):
    """Prints as it comes."""

    def stream(self, name: str, text: str) -> None:
        print(text, end="", file=sys.stderr if name == "stderr" else sys.stdout, flush=True)


def _log_lines() -> Lines | None:
    """Takes what the attempt that begins here prints, for the log of its run."""
    attempt = current_attempt()
    send = None if attempt is None else sink_of(attempt.run_id)
    if attempt is None or send is None:
        return None
    return Lines(send, attempt.call.task_key, attempt.call.attempt)
