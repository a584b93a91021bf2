"""`%flow mode lazy`: before an ordinary cell runs, the registered tasks run that it needs."""

from __future__ import annotations

import ast
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.magics.errors import FlowLineError
from notebook_flows.magics.here import Here, only_asks
from notebook_flows.magics.telling import say, tell_report
from notebook_flows.session.runorder import RunOptions
from notebook_flows.session.selection import Wish
from notebook_flows.session.session import Mode
from notebook_flows.session.sinks import interactive_sink
from notebook_flows.views.text import told_duration

if TYPE_CHECKING:
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session

SETTLE = "_nbflow_settle"


class Settler:
    """Puts an awaited call in front of the code of ordinary cells; lets IPython await them.

    Args:
        session: of the shell.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._usual: Any = None
        self._seen: CellRecord | None = None

    def install(self) -> None:
        """Begin; done twice, it is done once."""
        shell = self._session.shell
        self._session.hooks.transformers.add("ast_transformers", self)
        if self._usual is None:
            self._usual = shell.should_run_async
            shell.should_run_async = self._should_run_async
        shell.register_magic_function(self.settle, "line", SETTLE)

    def uninstall(self) -> None:
        """End."""
        shell = self._session.shell
        self._session.hooks.transformers.remove("ast_transformers", self)
        if self._usual is not None:
            del shell.should_run_async
            self._usual = None
        shell.magics_manager.magics["line"].pop(SETTLE, None)

    def _should_run_async(self, raw_cell: str, *arguments: Any, **options: Any) -> bool:
        return self._session.mode is Mode.LAZY or bool(self._usual(raw_cell, *arguments, **options))

    def visit(self, node: ast.AST) -> ast.AST:
        """The code of a cell, with the call in front where it needs tasks; an AST transformer of IPython's."""
        if self._session.mode is not Mode.LAZY or not isinstance(node, ast.Module) or not node.body:
            return node
        now = self._session.hooks.now
        if now is self._seen:
            return node  # the code of a task that runs for this cell
        self._seen = now
        with self._session.hooks.guarded():
            if self._needed():
                call = ast.parse(f"get_ipython().run_line_magic({SETTLE!r}, '')").body[0]
                assert isinstance(call, ast.Expr)
                call.value = ast.Await(value=call.value)
                node.body.insert(0, ast.fix_missing_locations(call))
        return node

    def _needed(self) -> tuple[str, ...]:
        """The keys of the tasks that the cell which begins needs."""
        record = self._session.hooks.now
        if record is None or record.is_task or record.mistake is not None or only_asks(record.source):
            return ()
        outlook = self._session.flow.outlook()
        pending = (outlook.stale.keys() | outlook.remembered.keys()) & outlook.tasks.keys()
        if not outlook.remembered:  # else an earlier kernel has run it; a new one runs only what was asked for
            pending = {key for key in pending if outlook.records[key].times or self._session.flow.freshness.knows(key)}
        if not pending or record.key not in outlook.connections.cells:
            return ()
        return outlook.connections.needed_before(record.key, pending)

    async def settle(self, line: str) -> None:
        """Run the tasks that this cell needs."""
        needed = self._needed()
        if not needed:
            return
        here = Here(session=self._session, is_awaited=True)
        outlook = here.outlook()
        selection = here.flow.selection(outlook, Wish(names=needed))
        sink = interactive_sink(self._session)
        began_s = monotonic()
        if here.flow.going is not None:
            raise FlowLineError(_not_now([outlook.records[key].name for key in needed]))
        run = here.flow.begin(
            outlook, selection, parameters=here.flow.given, options=RunOptions(), sink=sink, is_shown=False
        )
        with suppress(KeyboardInterrupt):  # told below
            await run.wait()
        report = here.flow.end(run)
        tell_report(report, outlook, sink, monotonic() - began_s, is_quiet=True)
        names = ", ".join(task.name for task in report.tasks.values())
        say(sink, f"{names}: run in {told_duration(monotonic() - began_s)}, for this cell needs them.\n", name="stderr")


def _not_now(names: list[str]) -> str:
    return (
        f"This cell needs {', '.join(map(repr, names))}, and has not run, for a run goes on: execute it again when that has "
        "ended, or after `%flow cancel`."
    )
