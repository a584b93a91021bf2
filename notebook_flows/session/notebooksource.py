"""What the live picture of a notebook's run knows of its cells, and what clicks on it have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.engine.stopping import retry_run
from notebook_flows.session.edits import told_edits
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.picturesource import NOT_LOADED, TRIED_AGAIN, USE_INTERRUPT, medians_of, tags_of, wish_of
from notebook_flows.session.rundetail import recorded_artifacts
from notebook_flows.session.selection import Wish
from notebook_flows.widget.detail import LONGEST_TEXT, displays, told_names
from notebook_flows.widget.flowmessage import ACTIONS, CANCELLED, Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger
    from notebook_flows.session.kernelrun import KernelRun
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session


class NotebookSource:
    """Of cells that run, or have run.

    Args:
        session: of the kernel.
        records: of the cells, key -> cell, in the order of the flow's tasks.
        connections: of all cells.
        flow: the cells as a flow.
        sink: below which cell the picture is.
        run: that goes on, or is about to; None: it is a picture of how the notebook stands.
        stale: key -> why.
    """

    def __init__(
        self,
        session: Session,
        records: Mapping[str, CellRecord],
        connections: Connections,
        flow: Flow,
        sink: Sink,
        *,
        run: KernelRun | None = None,
        stale: Mapping[str, str] | None = None,
    ) -> None:
        self._session = session
        self._records = records
        self._keys: Sequence[str] = [key for key in connections.cells if key in records]
        self._connections = connections
        self._flow: Flow | None = flow
        self._sink = sink
        self._run = run
        self._stale = stale or {}

    def surroundings(self) -> Surroundings:
        """Tags, headings, why cells wait for others, and what is known of earlier runs."""
        flow, self._flow = self._flow, None
        headings = self._session.saved.headings()
        place = {key: number for number, key in enumerate(self._keys)}
        why: dict[tuple[int, int], str] = {}
        for edge in (*self._connections.order, *self._connections.dataflow):
            upper, lower = place.get(edge.upstream_key), place.get(edge.downstream_key)
            if upper is not None and lower is not None:
                before = why.get((upper, lower))
                why[upper, lower] = edge.text if before in {None, edge.text} else f"{before}; {edge.text}"
        return Surroundings(
            tags=tags_of(flow) if flow is not None else {},
            headings={place[key]: headings[key] for key in self._keys if headings.get(key)},
            median_s=medians_of(flow) if flow is not None else {},
            stale={place[key]: reason for key, reason in self._stale.items() if key in place},
            why=why,
        )

    # -- clicks --------------------------------------------------------------------------------------------------------

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """While a run goes on, what else is asked for comes after it."""
        if is_running:
            return dict.fromkeys(ACTIONS, is_heard), None if is_heard else USE_INTERRUPT
        if self._session.start_wish is None:
            return dict.fromkeys(ACTIONS, False), NOT_LOADED
        return {**dict.fromkeys(ACTIONS, True), "cancel": False, "retry_failed": bool(self._failed())}, None

    def act(self, action: str, node: int | None, view: Mapping[str, Any]) -> tuple[bool, str]:
        """Stop the run, or have cells run when the kernel is free."""
        if action == "cancel":
            return self._cancel()
        run = self._goes_on()
        if action == "retry_failed" and run is not None and retry_run(run.run_id):
            self._tell_edits()
            return True, TRIED_AGAIN
        start = self._session.start_wish
        if start is None:
            return False, NOT_LOADED
        if action == "retry_failed":
            if run is None and not self._failed():
                return False, "Nothing has failed."
            return True, start(lambda: Wish(names=self._failed()), self._sink, view)
        key = self._keys[node] if node is not None and 0 <= node < len(self._keys) else None
        if key is None:
            return False, "Choose a task first."
        if not self._records[key].is_task:
            return False, f"{self._records[key].name!r} is an ordinary cell: it runs where a task needs it."
        wish = wish_of(action, key)
        if wish is None:
            return False, f"There is no action {action!r}."
        return True, start(lambda: wish, self._sink, view)

    def _goes_on(self) -> KernelRun | None:
        run = self._run
        return run if run is not None and not run.has_ended else None

    def _cancel(self) -> tuple[bool, str]:
        run = self._goes_on()
        if run is None:
            return False, "The run has ended already."
        run.ask_to_stop(CANCELLED)
        return True, "The run is being stopped."

    def _tell_edits(self) -> None:
        """Below the picture: the run that goes on has the texts with which it began."""
        said = told_edits(self._session.book)
        if said and isinstance(self._sink, RecordingSink):
            self._sink.stream("stderr", said)
            self._sink.flush()

    def _failed(self) -> tuple[str, ...]:
        """What did not end well in the last run, of the cells that are there still."""
        last = self._session.flow.last
        if last is None:
            return ()
        tasks = {one.key for one in self._session.book.tasks()}
        return tuple(key for key, state in last.states.items() if not IS_SUCCESSFUL[state] and key in tasks)

    # -- details -------------------------------------------------------------------------------------------------------

    def begun(self, run_id: str, ledger: Ledger) -> None:
        """The values of cells are in their run."""

    def ended(self, state: State | None) -> None:
        """Let go of the run: its values are in the notebook's names from now on."""
        self._run = None

    def stale_now(self) -> Mapping[int, str]:
        """As `%flow status` tells it: cells that had never run, or were stale, have run meanwhile."""
        self._stale = self._session.flow.outlook().stale
        return {number: self._stale[key] for number, key in enumerate(self._keys) if key in self._stale}

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """Code, names with their values, output, and why it waits for others."""
        if not 0 <= node < len(self._keys):
            return {}
        key = self._keys[node]
        record, links = self._records[key], self._connections.cells[key]
        sink = self._session.flow.outputs.get(key)
        shown, lines, traceback = displays(sink.outputs if sink is not None else ())
        names = {one.key: one.name for one in self._session.book.records()}
        sources = {
            name: ", ".join(names.get(one, one) for one in definers)
            for name, definers in links.inputs.items()
            if definers
        }
        return {
            "code": record.source[:LONGEST_TEXT],
            "inputs": told_names(self._inputs(key), sources),
            "outputs": told_names(self._outputs(key)),
            "logs": lines,
            "displays": shown,
            "traceback": traceback,
            "artifacts": self._artifacts(key),
            "reads": sorted(links.inputs),
            "writes": sorted(links.outputs),
            "why": [
                {"from": names.get(edge.upstream_key, ""), "text": edge.text}
                for edge in dict.fromkeys((*self._connections.order, *self._connections.dataflow))
                if edge.downstream_key == key
            ],
        }

    def _artifacts(self, key: str) -> list[dict[str, Any]]:
        """Of the run that goes on, if it is in there, else of the last one that it was in."""
        run = self._run
        run_id = run.run_id if run is not None and key in run.tasks else self._session.flow.ran_in.get(key)
        return [] if run_id is None else recorded_artifacts(run_id, self._records[key].slugs[0])

    def _inputs(self, key: str) -> dict[str, Any]:
        user_ns = self._session.shell.user_ns
        names = self._connections.cells[key].inputs
        run = self._run
        made = run.peek_inputs(key) if run is not None else {}
        return {name: made.get(name, user_ns.get(name)) for name in sorted(names) if name in made or name in user_ns}

    def _outputs(self, key: str) -> dict[str, Any]:
        run = self._run
        if run is not None:
            return dict(sorted(run.peek_outputs(key).items()))
        user_ns, owner = self._session.shell.user_ns, self._session.bindings.owner
        names = self._connections.cells[key].outputs
        return {name: user_ns[name] for name in sorted(names) if name in user_ns and owner(name) == key}
