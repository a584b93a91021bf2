"""What a line of `%flow` works on: the session of the shell that it was typed into."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.core.flow import Flow
from notebook_flows.errors import did_you_mean
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.session.routes import current_route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.notebookflow import NotebookFlow
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session


_OURS = re.compile(r"\s*(#.*|%(flow|nbflow|load_ext|reload_ext)\b.*)?")


@dataclass(frozen=True, kw_only=True)
class Here:
    """Where a line was typed.

    Attributes:
        session: of its shell.
        is_awaited: the line's value is awaited, so that the kernel's loop is free meanwhile.
    """

    session: Session
    is_awaited: bool = False

    @property
    def flow(self) -> NotebookFlow:
        """The notebook as a flow."""
        return self.session.flow

    @property
    def is_kernel(self) -> bool:
        """Whether a front end can show pictures."""
        return getattr(self.session.shell, "kernel", None) is not None

    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The kernel's event loop; None in a terminal, whose loop stands still between two cells."""
        try:
            return asyncio.get_running_loop() if self.is_kernel else None
        except RuntimeError:
            return None

    def outlook(self, parameters: Mapping[str, Any] | None = None) -> Outlook:
        """How the notebook stands now, if it is given these parameters."""
        return self.flow.outlook(parameters)

    def flows(self) -> dict[str, Flow]:
        """The flows that cells have made, by the names of their variables."""
        names = dict(self.session.shell.user_ns)
        return {name: value for name, value in names.items() if isinstance(value, Flow) and not name.startswith("_")}

    def flow_named(self, name: str) -> Flow | None:
        """A flow by its variable or its name; None if there is none."""
        flows = self.flows()
        return flows.get(name) or next((one for one in flows.values() if one.name == name), None)

    def task_named(self, outlook: Outlook, name: str) -> CellRecord:
        """A task cell.

        Raises:
            FlowLineError: there is none, or several.
        """
        found = [one for one in outlook.tasks.values() if name in {one.name, one.key}]
        if len(found) == 1:
            return found[0]
        if found:
            raise FlowLineError(f"{len(found)} task cells are called {name!r}: give them names of their own.")
        known = [one.name for one in outlook.tasks.values()]
        raise FlowLineError(f"There is no task cell {name!r}.{did_you_mean(name, known)}" + _listed(known))

    def check_free(self) -> None:
        """Whether a run may begin here, and what the last one has made be forgotten.

        Raises:
            FlowLineError: the line stands in a task cell that a run executes now.
            IsRunning: another run goes on.
        """
        if self.flow.going is not None and current_route() is not None:
            raise FlowLineError(
                "This line stands in a task cell that a run of this notebook executes now, and there is one at a time: "
                "put the line into a cell that is no task."
            )
        self.flow.check_free()

    def show(self, value: Any) -> None:
        """Display a picture where it can be seen; its text elsewhere."""
        if self.is_kernel:
            from IPython.display import display

            display(value)  # type: ignore[no-untyped-call] # IPython's
        else:
            print(value)


def only_asks(source: str) -> bool:
    r"""Whether all that a cell does is to ask us: `%flow run` then runs what it is told to, and `%flow status` nothing.

    >>> only_asks("# see\n%flow status"), only_asks("%flow run\nprint(x)")
    (True, False)
    """
    return all(_OURS.fullmatch(line) for line in source.splitlines())


def _listed(names: list[str]) -> str:
    return f" Task cells: {', '.join(names)}." if names else " No cell is a task yet: put `%%task` above one."
