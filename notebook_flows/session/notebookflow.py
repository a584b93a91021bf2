"""The notebook as a flow: what its task cells are to each other, which are stale, and runs of them in this kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import FlowError
from notebook_flows.session import routing
from notebook_flows.session.below import Below
from notebook_flows.session.cellmemory import Remembering
from notebook_flows.session.cellpicture import picture_flow, standings_of_cells
from notebook_flows.session.choosing import chosen
from notebook_flows.session.heldversions import HeldVersions
from notebook_flows.session.kernelrun import KernelRun
from notebook_flows.session.livepicture import Around, LivePicture
from notebook_flows.session.notebooksource import NotebookSource
from notebook_flows.session.outlook import Outlooks
from notebook_flows.session.outputs import CellSink
from notebook_flows.session.runorder import Order, PastRun
from notebook_flows.session.shownpicture import Following, ShownPicture
from notebook_flows.session.sinks import fresh_sink, is_kernel
from notebook_flows.session.terminalpicture import picture_in_terminal
from notebook_flows.session.textpicture import TextPicture, shows_text_only
from notebook_flows.settings import settings_from

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.outputs import RecordingSink, Sink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import Report, RunOptions
    from notebook_flows.session.selection import Selection, Wish
    from notebook_flows.session.session import Session


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


@dataclass(kw_only=True)
class Background:
    """A run in the background."""

    run: KernelRun
    waiting: asyncio.Task[Any]


class NotebookFlow:
    """What is remembered of the runs of a notebook's cells in this kernel, and what can be done with them.

    Args:
        session: of the kernel.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._outlooks = Outlooks(session)
        self.freshness = self._outlooks.freshness
        self.outputs: dict[str, RecordingSink] = {}
        self.last: PastRun | None = None
        self.ran_in: dict[str, str] = {}  # cell -> the run of the history in which it ran last
        self.background: Background | None = None
        self.shown: list[ShownPicture] = []
        self._latest: KernelRun | None = None
        self._held = HeldVersions()

    # -- how it stands -------------------------------------------------------------------------------------------------

    def outlook(
        self,
        parameters: Mapping[str, Any] | None = None,
        find: Callable[[CellRecord, str], KnownResult | None] | None = None,
    ) -> Outlook:
        """All cells that were executed, connected, and which of them are stale.

        If the saved notebook has task cells that were not executed here, all its cells count, but for a runner's.

        Args:
            parameters: name -> value, of those that are given to the run that is to begin; None: those that hold.
            find: gives what is kept of a cell that is made of this, for a run that is gone on with; all saved cells
                count then.
        """
        return self._outlooks.now(parameters, find)

    def count_saved_cells(self) -> None:
        """All cells of the saved notebook count from now on: somebody wants to run some that were never executed here."""
        self._outlooks.count_saved_cells()

    def selection(self, outlook: Outlook, wish: Wish, *, parameters: Mapping[str, Any] | None = None) -> Selection:
        """What a wish comes to.

        Args:
            outlook: how the notebook stands.
            wish: what is to run.
            parameters: of the run, where they are not those of the wish.

        Raises:
            SelectionError: it cannot be run.
            NothingToRun: there are no tasks.
        """
        values = self.parameters_of(wish) if parameters is None else parameters
        return chosen(
            self._session,
            outlook,
            wish,
            kept=frozenset(self._held.by_version),
            changes=lambda key: self._outlooks.changes(outlook.records[key], values),
        )

    @property
    def going(self) -> KernelRun | None:
        """The run that goes on."""
        run = self._latest
        return run if run is not None and not run.has_ended else None

    def check_free(self) -> None:
        """Whether a run may begin.

        Raises:
            IsRunning: another one goes on in the background, or in a cell of another subshell.
        """
        going = self.going
        if going is not None:
            raise IsRunning(is_background=self.background is not None and self.background.run is going)

    # -- what happens by hand ------------------------------------------------------------------------------------------

    def ran_by_hand(self, record: CellRecord, *, has_succeeded: bool) -> None:
        """A cell was executed by hand; told after the book has heard of it."""
        self._held.forget(record.key)  # what it had bound before is nobody's any more
        self._outlooks.ran_by_hand(record, has_succeeded=has_succeeded)

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
        view: Mapping[str, Any] | None = None,
    ) -> KernelRun:
        """Begin to run what was selected; on the main thread.

        Args:
            outlook: how the notebook stands.
            selection: what runs.
            parameters: name -> value.
            options: how it runs.
            sink: below which cell it is shown.
            is_background: the prompt comes back at once.
            is_shown: it has a picture.
            view: what was chosen in the picture whose place that takes.

        Raises:
            IsRunning: a run goes on in the background, or in a cell of another subshell.
        """
        self.check_free()
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
            sink=partial(self._sink_of, Below(sink) if isinstance(sink, CellSink) else None),
            kept=self._held.by_version,
            bound_by=self._session.bindings.owner,
            observers=observers,
            is_busy=lambda: self._session.hooks.is_busy,
        )
        if is_shown:
            in_kernel = is_kernel(self._session.shell)
            run.picture = self._picture_of(run, outlook, sink, view) if in_kernel else picture_in_terminal(run.flow)
        for shown in self.shown:
            follower = shown.follow(run.keys, run.run_id)
            if follower is not None:
                run.followers.append(follower)
        observers.extend(one for one in run.followers if isinstance(one, Following))
        if run.picture is not None:
            run.picture.begin()
            observers.append(run.picture)
        run.begin()
        self._latest = run
        return run

    def _picture_of(
        self, run: KernelRun, outlook: Outlook, sink: Sink, view: Mapping[str, Any] | None
    ) -> LivePicture | TextPicture:
        """The picture of a run: all tasks of the notebook, those that are not in the run as they stand."""
        if shows_text_only(sink):
            return TextPicture(run.flow, sink)
        order = run.order
        drawn = {
            key: record
            for key, record in outlook.records.items()
            if key in order.records or (record.is_task and key in order.connections.cells)
        }
        flow, _ = picture_flow(order.name, drawn, order.connections)
        place = {key: number for number, key in enumerate(drawn)}
        numbers = {number: place[key] for number, key in enumerate(run.keys)}
        stands = standings_of_cells(drawn, outlook.stale, self.last)
        running = set(numbers.values())
        before = {at: one for at, one in stands.items() if at[0] not in running}
        source = NotebookSource(self._session, drawn, order.connections, flow, sink, run=run, stale=outlook.stale)
        around = Around(flow=flow, numbers=numbers, before=before) if before else None
        return LivePicture(run.flow, sink, source=source, run_id=run.run_id, around=around, view=view)

    def _remembering(self, outlook: Outlook, selection: Selection, options: RunOptions) -> Remembering:
        settings = settings_from()
        return Remembering(
            making=outlook.making,
            keeps=settings.keep_results != "off",
            caches=bool(options.cache) or (options.cache is None and settings.cache == "all"),
            is_off=options.cache is False or (options.cache is None and settings.cache == "off"),
            is_fresh=options.refreshes_cache or settings.cache == "refresh",
            fresh=frozenset(self._outlooks.cleared),
            recalled={key: outlook.remembered[key] for key in selection.recalled},
        )

    def end(self, run: KernelRun) -> Report:
        """Land what a run has made, and remember how it went; on the main thread."""
        report = run.end()
        order = run.order
        for key, values in report.values.items():
            given = order.parameters if key == order.parameters_cell else ()
            self._held.keep(order.connections, key, values.bound, given)
            landed = report.landed.get(key, frozenset())
            self._session.bindings.landed(key, landed & values.bound.keys(), landed & values.deleted)
            self._session.hooks.landed(landed)
        for key, sink in self.outputs.items():
            if key in report.states:
                sink.leave_log()
            if report.states.get(key) in _GIVEN_UP:
                sink.mute()
        for key in order.connections.cells:
            if key in order.records and report.states[key] in HAS_RUN:
                has_succeeded = report.states[key] in _WENT_WELL
                self._outlooks.ran_in_flow(order.records[key], report.states[key], order.connections, order.parameters)
                self._outlooks.take_result(order.remembering, key, has_succeeded=has_succeeded)
        if report.run_id and order.history is not False:
            self.ran_in.update(
                dict.fromkeys((key for key, state in report.states.items() if state in HAS_RUN), report.run_id)
            )
        self.last = PastRun(
            run_id=report.run_id, states=report.states, cached=_taken_from(report), parameters=order.parameters
        )
        if run.picture is not None:
            run.picture.finish(report.state)  # which tells whether anything has failed that could be tried again
        for follower in run.followers:
            follower.finish()
        run.followers.clear()
        if self.background is not None and self.background.run is run:
            self.background = None
        return report

    def _sink_of(self, below: Below | None, record: CellRecord) -> RecordingSink:
        before = self.outputs.get(record.key)
        self.outputs[record.key] = sink = fresh_sink(self._session.shell, record, before, below=below)
        return sink

    @property
    def given(self) -> Mapping[str, Any]:
        """Name -> value, of the parameters that were given when the parameters cell ran last: they hold for later runs, too."""
        return self._outlooks.given

    def parameters_of(self, wish: Wish) -> Mapping[str, Any]:
        """Name -> value, of the parameters of a run: those that are wished for, else those that hold."""
        return wish.parameters or self.given

    def kept(self, key: str, name: str) -> tuple[bool, Any]:
        """Whether the value that a cell has given a name is held although another one has its place; and the value."""
        return self._held.find(key, name)

    def forget(self, key: str | None = None) -> None:
        """Make a task, or all, stale, and let go of its values and outputs."""
        for task in [one.key for one in self._session.book.tasks()] if key is None else [key]:
            self._outlooks.forget(task)
        self._held.forget(key)
        if key is None:
            self.outputs.clear()
            self.ran_in.clear()
            self.last = None
        else:
            self.outputs.pop(key, None)


_GIVEN_UP = frozenset({S.CANCELLED, S.TIMED_OUT})
_WENT_WELL = frozenset({S.SUCCESS, S.CACHED})
HAS_RUN = frozenset({S.SUCCESS, S.CACHED, S.FAILED, S.TIMED_OUT, S.CRASHED, S.CANCELLED})


def _taken_from(report: Report) -> dict[str, str]:
    if report.state is None:
        return {}
    results = report.state.result
    return {key: results[report.tasks[key]].message or "" for key, state in report.states.items() if state is S.CACHED}
