"""How the notebook stands: what its cells are to each other, which are stale, and what earlier kernels have left of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import connect
from notebook_flows.core.lifecycle import IS_SUCCESSFUL, S
from notebook_flows.session.astray import taken_astray
from notebook_flows.session.constants import binds_constants
from notebook_flows.session.feeding import feeders
from notebook_flows.session.freshness import Freshness
from notebook_flows.session.ordinaryinputs import as_then
from notebook_flows.session.remembered import making_of, recollected, remembered_in
from notebook_flows.workspace.parameterprints import parameter_print

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.fingerprints.made import Making
    from notebook_flows.session.cellmemory import Remembering
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session


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


class Outlooks:
    """What is remembered of the executions of cells, by which it is told how the notebook stands.

    Args:
        session: of the kernel.

    Attributes:
        freshness: which cells have run as they are now.
        cleared: keys of tasks that are stale because somebody wants so, whatever is kept of them.
        given: name -> value, of the parameters with which the parameters cell has run last.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.freshness = Freshness()
        self.cleared: set[str] = set()
        self.given: dict[str, Any] = {}
        self._results: dict[str, str] = {}
        self._is_whole = False  # all cells of the saved notebook count, from when one is wanted that was not executed

    def now(
        self,
        parameters: Mapping[str, Any] | None = None,
        find: Callable[[CellRecord, str], KnownResult | None] | None = None,
    ) -> Outlook:
        """How the notebook stands now; see `NotebookFlow.outlook`."""
        every = {one.key: one for one in self._session.book.records()}
        executed = {key: one for key, one in every.items() if one.times}
        self._take_in_what_had_run(executed)
        not_run = {key for key, one in every.items() if one.is_task and not self.freshness.knows(key)}
        given = self.given if parameters is None else parameters
        if find is not None:
            self._is_whole = True
            return self._outlook_of(every, not_run, given, find)
        not_run -= self.cleared
        if not self._is_whole and (unseen := not_run - executed.keys()):
            self._is_whole = self._is_open(executed) or bool(
                self._outlook_of(every, not_run, {}).remembered.keys() & unseen
            )
        if self._is_whole:
            return self._outlook_of(every, not_run, given)
        return self._outlook_of(executed, not_run & executed.keys(), given)

    def _is_open(self, executed: Mapping[str, CellRecord]) -> bool:
        """Whether people have the saved notebook open in front of them.

        A runner, which executes each cell in its turn, tells no ids, and may have inherited the path of another notebook
        whose kernel has started it. Where the ids are in no file, as those of VS Code, a saved text may be what an
        executed cell was before it was edited.
        """
        document = self._session.current_document()
        told = {one.cell_id for one in executed.values()} - {None}
        if self._session.server is not None or document is None or not told:
            return False
        if any(cell.cell_id in told for cell in document.cells):
            return True
        saved = {cell.source.strip() for cell in document.cells}
        return all(one.source.strip() in saved for one in executed.values() if one.is_task)

    def _outlook_of(
        self,
        records: Mapping[str, CellRecord],
        not_run: set[str],
        parameters: Mapping[str, Any],
        find: Callable[[CellRecord, str], KnownResult | None] | None = None,
    ) -> Outlook:
        from notebook_flows.workspace.histories import secret_key

        connections = connect([one.as_cell() for one in records.values()])
        cell = self._session.book.parameters_cell
        making = making_of(
            self._session.saved,
            records,
            connections,
            parameters_cell=cell.key if cell is not None else None,
            parameters=parameters,
            results=self._results,
        )
        if find is None:
            remembered = recollected(making, records, connections, not_run, parameters, self._session.saved.name)
        else:
            remembered = remembered_in(making, connections, not_run, lambda key, made: find(records[key], made))
        if remembered:
            every = remembered
            remembered = as_then(
                every, connections, self._session.shell.user_ns, parameters, self.freshness.knows, secret_key()
            )
            making.forget(every.keys() - remembered.keys())
        stale = self.freshness.why_stale(
            {key: one.source for key, one in records.items()},
            feeders(connections),
            {key: one.name for key, one in records.items()},
            fresh=remembered.keys(),
            not_seen={key for key, one in records.items() if not one.is_task and not one.times},
            astray=taken_astray(records, connections, self._session.bindings.taken_by_hand),
        )
        return Outlook(records=records, connections=connections, stale=stale, making=making, remembered=remembered)

    def _take_in_what_had_run(self, records: Mapping[str, CellRecord]) -> None:
        """Ordinary cells that ran before the extension was loaded, and the one that has loaded it, have run all the same."""
        for key, record in records.items():
            if not record.is_task and record.has_succeeded and not self.freshness.knows(key):
                self.ran(record, S.SUCCESS, is_news=False)

    def ran_by_hand(self, record: CellRecord, *, has_succeeded: bool) -> None:
        """A cell was executed by hand; told after the book has heard of it."""
        self._results.pop(record.key, None)  # nothing is kept of it
        self.cleared.discard(record.key)
        if record.mistake is not None:  # nothing of it has run
            self.freshness.forget(record.key)
            return
        if self._is_setting(record):
            self.given = {}
        self.ran(record, S.SUCCESS if has_succeeded else S.FAILED)

    def changes(self, record: CellRecord, parameters: Mapping[str, Any]) -> frozenset[str] | None:
        """The names that get other values if an ordinary cell runs again; None: nobody knows, so it may be all of its names.

        Args:
            record: the cell.
            parameters: name -> value, of those that the run has.
        """
        if not self.freshness.has_run_well(record.key, record.source) or not binds_constants(record.source):
            return None
        if not self._is_setting(record):
            return frozenset()
        now, before = _prints(parameters), _prints(self.given)
        return frozenset(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))

    def ran_in_flow(
        self, record: CellRecord, state: S, connections: Connections, parameters: Mapping[str, Any]
    ) -> None:
        """A cell was run by us; what takes the same values of it as before is not stale for that.

        Args:
            record: the cell.
            state: how it ended.
            connections: of all cells.
            parameters: name -> value, of those that the run had.
        """
        changed = None if record.is_task else self.changes(record, parameters)
        self.ran(record, state, is_news=changed is None or bool(changed))
        if not IS_SUCCESSFUL[state]:
            return
        if changed:
            readers = set(connections.cells) - {
                edge.downstream_key
                for edge in connections.dataflow
                if edge.upstream_key == record.key and edge.name in changed
            }
            self.freshness.is_the_same_for(record.key, readers)
        if self._is_setting(record):
            self.given = dict(parameters)

    def _is_setting(self, record: CellRecord) -> bool:
        cell = self._session.book.parameters_cell
        return cell is not None and cell.key == record.key

    def ran(self, record: CellRecord, state: S, *, is_news: bool = True) -> None:
        """A cell has run.

        Args:
            record: the cell.
            state: how it ended.
            is_news: False: it had run before anybody looked, or has made the same again.
        """
        names = self._session.shell.user_ns
        used = {_module_of(names.get(name)) for name in record.facts.reads | record.facts.late}
        self.freshness.ran(
            record.key,
            source=record.source,
            state=state,
            modules=(used | set(record.facts.imports.values())) - {"", "__main__"},
            is_news=is_news,
        )

    def take_result(self, remembering: Remembering | None, key: str, *, has_succeeded: bool) -> None:
        """What is known of the result that a cell has now."""
        self.cleared.discard(key)
        result = remembering.making.result(key) if remembering is not None and has_succeeded else None
        if result is None:
            self._results.pop(key, None)
        else:
            self._results[key] = result

    def count_saved_cells(self) -> None:
        """All cells of the saved notebook count from now on, executed here or not."""
        self._is_whole = True

    def forget(self, key: str) -> None:
        """Make a task stale."""
        self.freshness.forget(key)
        self._results.pop(key, None)
        self.cleared.add(key)


def _prints(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: parameter_print(value) for name, value in parameters.items()}


def _module_of(value: Any) -> str:
    """The module that a value is, or comes from; or nothing."""
    try:
        spec = getattr(value, "__spec__", None)
        name = getattr(spec, "name", None) or getattr(value, "__module__", None)
    except Exception:  # a proxy without what it stands for raises whatever it likes; then nothing is known of it
        return ""
    return name if isinstance(name, str) else ""
