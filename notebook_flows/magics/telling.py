"""How a run of the notebook went, told in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.engine.wording import named
from notebook_flows.magics.errors import FlowRunFailed, RunStopped
from notebook_flows.views.table import counts_of, told_counts
from notebook_flows.views.text import counted, first_line, printable, told_duration

if TYPE_CHECKING:
    from notebook_flows.core import state as api
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.outputs import RecordingSink
    from notebook_flows.session.runorder import Report

_QUIET = frozenset({S.SUCCESS, S.CACHED, S.SKIPPED, S.MAPPED})
MOST_TOLD = 20


def say(sink: RecordingSink, text: str, *, name: str = "stdout") -> None:
    """Say something below the line, before its cell ends."""
    sink.stream(name, text)
    sink.flush()


def warn(sink: RecordingSink, text: str) -> None:
    """Say something that should be noticed."""
    say(sink, text, name="stderr")


def tell_report(
    report: Report, outlook: Outlook, sink: RecordingSink, elapsed_s: float, *, is_quiet: bool = False
) -> None:
    """How it went, in a few lines.

    Raises:
        FlowRunFailed: not well.
        RunStopped: it was stopped.
        BaseException: what the engine raised.
    """
    names = {key: task.name for key, task in report.tasks.items()}
    for line in _remarks(report, outlook, names):
        warn(sink, f"{line}\n")
    if report.was_stopped:
        done = sum(state is S.SUCCESS for state in report.states.values())
        kept = " What they have made is kept; `%flow resume` runs the rest." if done else ""
        raise RunStopped(
            f"{facts_of(S.CANCELLED).glyph} Stopped after {told_duration(elapsed_s)}: {done} of "
            f"{counted(len(report.tasks), 'cell')} ended well.{kept}"
        ) from None
    if report.problem is not None:
        raise report.problem
    assert report.state is not None
    rest = len(outlook.tasks.keys() - report.tasks.keys())
    more = f"; {counted(rest, 'other task')} left as {'it is' if rest == 1 else 'they are'}" if rest else ""
    tail = f"in {told_duration(elapsed_s)}{more} (run {report.run_id[:8]})"
    if report.state.is_successful():
        if is_quiet:
            return
        say(sink, f"{facts_of(S.SUCCESS).glyph} {counted(len(report.tasks), 'cell')} {tail}\n")
        for line in _cached(report):
            say(sink, f"  {line}\n")
        return
    bad = {key: state for key, state in report.states.items() if state not in _QUIET}
    lines = [f"{facts_of(S.FAILED).glyph} {told_counts(counts_of(report.states.values()))} {tail}"]
    failures: dict[str, BaseException | None] = {}
    for key, state in list(bad.items())[:MOST_TOLD]:
        known = report.state.result[report.tasks[key]]
        failures[names[key]] = known.result if isinstance(known.result, BaseException) else None
        why = why_of(known) if state in {S.FAILED, S.TIMED_OUT, S.CRASHED} else known.message or ""
        facts = facts_of(state)
        lines.append(f"  {facts.glyph} {printable(names[key])}: {facts.word}{f': {why}' if why else ''}")
    if len(bad) > MOST_TOLD:
        lines.append(f"  ... and {counted(len(bad) - MOST_TOLD, 'more')}")
    raise FlowRunFailed("\n".join(lines), failures)


def _cached(report: Report) -> list[str]:
    """What was taken from earlier runs."""
    if report.state is None:
        return []
    cached = [task for key, task in report.tasks.items() if report.states[key] is S.CACHED]
    facts = facts_of(S.CACHED)
    lines = [
        f"{facts.glyph} {printable(task.name)}: {facts.word}, {_lower(report.state.result[task].message or '')}"
        for task in cached[:MOST_TOLD]
    ]
    return [*lines, *([f"... and {counted(len(cached) - MOST_TOLD, 'more')}"] if len(cached) > MOST_TOLD else [])]


def _lower(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}".rstrip(".")


def why_of(state: api.State) -> str:
    """What the error of a task says first, or else its state."""
    error = state.result
    return first_line(named(error) if isinstance(error, BaseException) else state.message or "")


def _remarks(report: Report, outlook: Outlook, names: dict[str, str]) -> list[str]:
    """What people would not see by themselves."""
    found = []
    for key, values in report.values.items():
        bound, deleted = values.unpredicted & values.bound.keys(), values.unpredicted & values.deleted
        if bound:
            found.append(
                f"{names[key]!r} has bound {_names(bound)}, which the analysis did not see coming; the values have "
                "landed. `--writes` tells it."
            )
        if deleted:
            found.append(f"{names[key]!r} has deleted {_names(deleted)}, which the analysis did not see coming.")
    found += _outdated(report, outlook, names)
    if report.still_running:
        found.append(
            f"{', '.join(map(repr, report.still_running))}: Python cannot stop a thread in the midst of its work, so it "
            "goes on unseen, and what it makes is dropped. `--executor processes` can be stopped at any time."
        )
    if report.left:
        found.append(f"{_names(report.left)}: you have bound it since the run began, so your value stays.")
    return found


def _outdated(report: Report, outlook: Outlook, names: dict[str, str]) -> list[str]:
    """Names that a later cell has made of what has run anew. One that binds them from something else says it all itself."""
    found = []
    for key, owners in report.replaced.items():
        for name, owner in sorted(owners.items()):
            if any(key in definers for definers in outlook.connections.cells[owner].inputs.values()):
                found.append(
                    f"{name} is still what {outlook.records[owner].name!r} has made of an older value of {names[key]!r}: "
                    "run that cell again."
                )
    return found


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
