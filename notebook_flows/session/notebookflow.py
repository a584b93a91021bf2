"""The notebook as a flow: what its task cells are to each other, which are stale, and runs of them in this kernel."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import connect
from notebook_flows.core.context import current_attempt
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.logs import sink_of
from notebook_flows.errors import FlowError
from notebook_flows.notebook.streams import Lines
from notebook_flows.session import routing
from notebook_flows.session.cellmemory import Remembering
from notebook_flows.session.feeding import feeders
from notebook_flows.session.freshness import Freshness
from notebook_flows.session.kernelrun import KernelRun
from notebook_flows.session.livepicture import LivePicture
from notebook_flows.session.notebooksource import NotebookSource
from notebook_flows.session.outputs import CellSink, RecordingSink
from notebook_flows.session.remembered import making_of, recollected, remembered_in
from notebook_flows.session.runorder import Order
from notebook_flows.session.selection import Standing, select
from notebook_flows.settings import settings_from

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.fingerprints.made import Making
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import Report
    from notebook_flows.session.runvalues import Version
    from notebook_flows.session.selection import Selection, Wish
    from notebook_flows.session.session import Session
    from notebook_flows.session.shownpicture import ShownPicture


class NothingToRun(FlowError):  # noqa: N818 - the sentence that people read
    """There is no task cell."""

    def __str__(self) -> str:
        return "This notebook has no task cell yet: put `%%task` above a cell, and execute it."


class IsRunning(FlowError):  # noqa: N818 - the sentence that people read
    """A run goes on.

    Args:
        is_background: else it is that of another cell, in a shell beside this one.
    """

    def __init__(self, *, is_background: bool = True) -> None:
        super().__init__(is_background)
        self.is_background = is_background

    def __str__(self) -> str:
        if self.is_background:
            return "A run goes on in the background: wait for it, or stop it with `%flow cancel`."
        return "A run goes on in another cell: wait for it, or stop it with the stop button."


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How cells are to be run.

    Attributes:
        executor: "threads", "processes" or "main"; None: threads.
        workers: how many at once; None: as the executor chooses.
        history: False: leave no trace.
        strict_shell: a failing ``!command`` fails its cell.
        cache: True: cells are cached that do not say it themselves, unless they act on the world outside; False: none
            is, whatever it says; None: those that say it themselves.
        refreshes_cache: what is cached runs, and is kept anew.
    """

    executor: str | None = None
    workers: int | None = None
    history: bool | None = None
    strict_shell: bool = False
    cache: bool | None = None
    refreshes_cache: bool = False


@dataclass(kw_only=True)
class Background:
    """A run in the background."""

    run: KernelRun
    waiting: asyncio.Task[Any]


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """What is remembered of a run; none of its values, which would live as long.

    Attributes:
        run_id: empty if it did not get as far.
        states: key -> how the cell ended.
        cached: key -> from which run the cell was taken, and what that has saved, in a sentence.
    """

    run_id: str
    states: Mapping[str, S]
    cached: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How the notebook stands now.

    Attributes:
        records: key -> cell, in the order of the document.
        connections: of all cells.
        stale: key -> why; of all cells.
        making: what they are made of.
        remembered: key -> what an earlier kernel has left of a task that has not run in this one, and is as it was then.
    """

    records: Mapping[str, CellRecord]
    connections: Connections
    stale: Mapping[str, str]
    making: Making
    remembered: Mapping[str, KnownResult] = field(default_factory=dict)

    @property
    def tasks(self) -> dict[str, CellRecord]:
        """The task cells."""
        return {key: record for key, record in self.records.items() if record.is_task}


class NotebookFlow:
    """What is remembered of the runs of a notebook's cells in this kernel, and what can be done with them.

    Args:
        session: of the kernel.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.freshness = Freshness()
        self.outputs: dict[str, RecordingSink] = {}
        self.last: PastRun | None = None
        self.background: Background | None = None
        self.shown: list[ShownPicture] = []
        self._latest: KernelRun | None = None
        self._kept: dict[Version, Any] = {}
        self._results: dict[str, str] = {}
        self._cleared: set[str] = set()
        self._is_whole = False  # all cells of the saved notebook count, for an earlier kernel has run them

    # -- how it stands -------------------------------------------------------------------------------------------------

    def outlook(
        self,
        parameters: Mapping[str, Any] | None = None,
        find: Callable[[CellRecord, str], KnownResult | None] | None = None,
    ) -> Outlook:
        """All cells that were executed, connected, and which of them are stale.

        If an earlier kernel has left results of tasks that have not run here, all cells of the saved notebook count.

        Args:
            parameters: name -> value, of those that are given to the run that is to begin.
            find: gives what is kept of a cell that is made of this, for a run that is gone on with; all saved cells
                count then.
        """
        every = {one.key: one for one in self._session.book.records()}
        executed = {key: one for key, one in every.items() if one.times}
        self._take_in_what_had_run(executed)
        not_run = {key for key, one in every.items() if one.is_task and not self.freshness.knows(key)}
        given = parameters or {}
        if find is not None:
            self._is_whole = True
            return self._outlook_of(every, not_run, given, find)
        not_run -= self._cleared
        if not self._is_whole and not_run - executed.keys():
            self._is_whole = bool(self._outlook_of(every, not_run, {}).remembered.keys() - executed.keys())
        if self._is_whole:
            return self._outlook_of(every, not_run, given)
        return self._outlook_of(executed, not_run & executed.keys(), given)

    def _outlook_of(
        self,
        records: Mapping[str, CellRecord],
        not_run: set[str],
        parameters: Mapping[str, Any],
        find: Callable[[CellRecord, str], KnownResult | None] | None = None,
    ) -> Outlook:
        connections = connect([one.as_cell() for one in records.values()])
        cell = self._session.book.parameters_cell
        making = making_of(
            self._session.saved.name,
            records,
            connections,
            parameters_cell=cell.key if cell is not None else None,
            parameters=parameters,
            results=self._results,
        )
        if find is None:
            remembered = recollected(making, connections, not_run)
        else:
            remembered = remembered_in(making, connections, not_run, lambda key, made: find(records[key], made))
        stale = self.freshness.why_stale(
            {key: one.source for key, one in records.items()},
            feeders(connections),
            {key: one.name for key, one in records.items()},
            fresh=remembered.keys(),
            not_seen={key for key, one in records.items() if not one.is_task and not one.times},
        )
        return Outlook(records=records, connections=connections, stale=stale, making=making, remembered=remembered)

    def _take_in_what_had_run(self, records: Mapping[str, CellRecord]) -> None:
        """Ordinary cells that ran before the extension was loaded, and the one that has loaded it, have run all the same."""
        for key, record in records.items():
            if not record.is_task and record.has_succeeded and not self.freshness.knows(key):
                self._ran(record, has_succeeded=True, is_news=False)

    def selection(self, outlook: Outlook, wish: Wish) -> Selection:
        """What a wish comes to.

        Raises:
            SelectionError: it cannot be run.
            NothingToRun: there are no tasks.
        """
        if not outlook.tasks:
            raise NothingToRun
        cell = self._session.book.parameters_cell
        return select(
            Standing(
                connections=outlook.connections,
                names={key: one.name for key, one in outlook.records.items()},
                stale=outlook.stale,
                can_repeat=lambda key: _why_not_again(outlook, key),
                kept=frozenset(self._kept),
                bound_by=self._session.bindings.owner,
                parameters_cell=cell.key if cell is not None and cell.key in outlook.records else None,
                remembered={
                    key: frozenset(one.reference.get("classes", ())) for key, one in outlook.remembered.items()
                },
            ),
            wish,
        )

    # -- what happens by hand ------------------------------------------------------------------------------------------

    def ran_by_hand(self, record: CellRecord, *, has_succeeded: bool) -> None:
        """A cell was executed by hand; told after the book has heard of it."""
        self._results.pop(record.key, None)  # nothing is kept of it
        self._cleared.discard(record.key)
        self._ran(record, has_succeeded=has_succeeded)

    def _ran(self, record: CellRecord, *, has_succeeded: bool, is_news: bool = True) -> None:
        names = self._session.shell.user_ns
        used = {_module_of(names.get(name)) for name in record.facts.reads | record.facts.late}
        self.freshness.ran(
            record.key,
            source=record.source,
            has_succeeded=has_succeeded,
            modules=(used | set(record.facts.imports.values())) - {"", "__main__"},
            is_news=is_news,
        )

    # -- runs ----------------------------------------------------------------------------------------------------------

    def begin(
        self,
        outlook: Outlook,
        selection: Selection,
        *,
        parameters: Mapping[str, Any],
        options: RunOptions,
        sink: Sink,
        is_background: bool = False,
        is_shown: bool = True,
    ) -> KernelRun:
        """Begin to run what was selected; on the main thread.

        Raises:
            IsRunning: a run goes on in the background, or in a cell of another subshell.
        """
        if self._latest is not None and not self._latest.has_ended:
            raise IsRunning(is_background=self.background is not None and self.background.run is self._latest)
        routing.install(self._session.shell)
        cell = self._session.book.parameters_cell
        order = Order(
            name=self._session.saved.name,
            records={key: outlook.records[key] for key in selection.reasons},
            connections=outlook.connections,
            parameters=parameters,
            parameters_cell=cell.key if cell is not None else None,
            executor=options.executor,
            workers=options.workers,
            history=options.history,
            strict_shell=options.strict_shell,
            is_background=is_background,
            remembering=self._remembering(outlook, selection, options),
        )
        observers: list[Any] = []
        run = KernelRun(
            order,
            shell=self._session.shell,
            sink=self._sink_of,
            kept=self._kept,
            bound_by=self._session.bindings.owner,
            observers=observers,
            is_busy=lambda: self._session.hooks.is_busy,
        )
        if is_shown and _is_kernel(self._session.shell):
            source = NotebookSource(
                self._session, order.records, order.connections, run.flow, sink, run=run, stale=outlook.stale
            )
            run.picture = LivePicture(run.flow, sink, source=source, run_id=run.run_id)
        for shown in self.shown:
            follower = shown.follow(list(run.tasks), run.run_id)
            if follower is not None:
                run.followers.append(follower)
        observers.extend(run.followers)
        if run.picture is not None:
            run.picture.begin()
            observers.append(run.picture)
        run.begin()
        self._latest = run
        return run

    def _remembering(self, outlook: Outlook, selection: Selection, options: RunOptions) -> Remembering:
        settings = settings_from()
        return Remembering(
            making=outlook.making,
            keeps=settings.keep_results != "off",
            caches=bool(options.cache) or (options.cache is None and settings.cache == "all"),
            is_off=options.cache is False or (options.cache is None and settings.cache == "off"),
            is_fresh=options.refreshes_cache or settings.cache == "refresh",
            fresh=frozenset(self._cleared),
            recalled={key: outlook.remembered[key] for key in selection.recalled},
        )

    def end(self, run: KernelRun) -> Report:
        """Land what a run has made, and remember how it went; on the main thread."""
        report = run.end()
        order = run.order
        for key, values in report.values.items():
            self._keep(order.connections, key, values.bound)
            landed = report.landed.get(key, frozenset())
            self._session.bindings.landed(key, landed & values.bound.keys(), landed & values.deleted)
            self._session.hooks.landed(landed)
        for key, sink in self.outputs.items():
            if key in report.states:
                sink.leave_log()
            if report.states.get(key) in _GIVEN_UP:
                sink.mute()
        for key in order.connections.cells:
            if key in order.records and report.states[key] in _HAS_RUN:
                has_succeeded = report.states[key] in _WENT_WELL
                self._ran(order.records[key], has_succeeded=has_succeeded)
                self._take_result(order.remembering, key, has_succeeded=has_succeeded)
        self.last = PastRun(run_id=report.run_id, states=report.states, cached=_taken_from(report))
        if run.picture is not None:
            run.picture.finish(report.state)  # which tells whether anything has failed that could be tried again
        for follower in run.followers:
            follower.finish()
        run.followers.clear()
        if self.background is not None and self.background.run is run:
            self.background = None
        return report

    def _take_result(self, remembering: Remembering | None, key: str, *, has_succeeded: bool) -> None:
        """What is known of the result that a cell has now."""
        self._cleared.discard(key)
        result = remembering.making.result(key) if remembering is not None and has_succeeded else None
        if result is None:
            self._results.pop(key, None)
        else:
            self._results[key] = result

    def _keep(self, connections: Connections, key: str, bound: Mapping[str, Any]) -> None:
        """Hold the versions that a later cell replaces in the namespace, where a cell in between reads them."""
        for version in [one for one in self._kept if one[0] == key]:
            del self._kept[version]
        read = {
            name for links in connections.cells.values() for name, definers in links.inputs.items() if key in definers
        }
        others = {name for other, links in connections.cells.items() if other != key for name in links.outputs}
        for name in read & others & bound.keys():
            self._kept[key, name] = bound[name]

    def _sink_of(self, record: CellRecord) -> RecordingSink:
        """A fresh place for the outputs of a cell: below it, where the front end shows it."""
        shell = self._session.shell
        before = self.outputs.get(record.key)
        if before is not None:
            before.mute()  # the thread of an attempt that was given up may still print
        if _is_kernel(shell) and record.parent is not None:
            sink: RecordingSink = CellSink(record.parent, execution_count=record.execution_count)
            sink.clear(wait=True)
        else:
            sink = RecordingSink(execution_count=record.execution_count)
        sink.lines = _log_lines()
        self.outputs[record.key] = sink
        return sink

    def kept(self, key: str, name: str) -> tuple[bool, Any]:
        """Whether the value that a cell has given a name is held although another one has its place; and the value."""
        return (key, name) in self._kept, self._kept.get((key, name))

    def forget(self, key: str | None = None) -> None:
        """Make a task, or all, stale, and let go of its values and outputs."""
        for task in [one.key for one in self._session.book.tasks()] if key is None else [key]:
            self.freshness.forget(task)
            self._results.pop(task, None)
            self._cleared.add(task)
        for version in [one for one in self._kept if key in {None, one[0]}]:
            del self._kept[version]
        if key is None:
            self.outputs.clear()
            self.last = None
        else:
            self.outputs.pop(key, None)


_GIVEN_UP = frozenset({S.CANCELLED, S.TIMED_OUT})
_WENT_WELL = frozenset({S.SUCCESS, S.CACHED})
_HAS_RUN = frozenset({S.SUCCESS, S.CACHED, S.FAILED, S.TIMED_OUT, S.CRASHED, S.CANCELLED})


def _taken_from(report: Report) -> dict[str, str]:
    if report.state is None:
        return {}
    results = report.state.result
    return {key: results[report.tasks[key]].message or "" for key, state in report.states.items() if state is S.CACHED}


def _why_not_again(outlook: Outlook, key: str) -> str:
    """Why an ordinary cell must not be run again by itself; empty if it may."""
    record = outlook.records[key]
    facts = record.facts
    if facts.opaque:
        return f"nobody can see what it does ({facts.opaque[0]})"
    if facts.effects:
        return f"it acts on the world outside ({facts.effects[0]})"
    if record.saved_source is not None:
        return "it was edited and not executed"
    return ""


def _is_kernel(shell: Any) -> bool:
    return getattr(shell, "kernel", None) is not None


def interactive_sink(session: Session) -> RecordingSink:
    """Where what the calling cell shows goes: below that cell, also when it has ended; or to who captures it."""
    shell = session.shell
    is_captured = isinstance(sys.stdout, StringIO)  # by `%%capture`, or `redirect_stdout`
    if _is_kernel(shell) and not is_captured:
        return CellSink(shell.get_parent())
    return _Terminal()


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


def _module_of(value: Any) -> str:
    """The module that a value is, or comes from; or nothing."""
    spec = getattr(value, "__spec__", None)
    name = getattr(spec, "name", None) or getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""
