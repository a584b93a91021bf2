"""Cells for tests, and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.session.code import CellCode, prepare
from notebook_flows.session.landing import land
from notebook_flows.session.private import run_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.values import CellValues


class ListSink:
    """Keeps what it is told, in a list."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def stream(self, name: str, text: str) -> None:
        self.told.append(("stream", name, text))

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        self.told.append(("display", dict(data)))

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        self.told.append(("update", dict(data)))

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        self.told.append(("result", data["text/plain"]))

    def error(self, ename: str, evalue: str, traceback: list[str]) -> None:
        self.told.append(("error", ename, evalue, "\n".join(traceback)))

    def clear(self, *, wait: bool) -> None:
        self.told.append(("clear", wait))

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(one[2] for one in self.told if one[0] == "stream")

    def only(self, kind: str) -> list[tuple[Any, ...]]:
        """What it was told of one kind."""
        return [one[1:] for one in self.told if one[0] == kind]


def a_notebook(*cells: str) -> dict[str, Any]:
    """The namespace of a notebook after these ordinary cells."""
    user_ns: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    for cell in cells:
        exec(compile(cell, "<ordinary cell>", "exec"), user_ns)
    return user_ns


def a_cell(text: str, name: str = "task") -> CellCode:
    """A task cell."""
    return prepare(text, key=name, name=name)


def run_of(text: str, user_ns: dict[str, Any], sink: ListSink | None = None, **values: Any) -> CellValues:
    """One private run of a task cell, with these values of its inputs."""
    return run_private(a_cell(text), values=values, user_ns=user_ns, sink=sink or ListSink())


def run_and_land(text: str, user_ns: dict[str, Any], **values: Any) -> CellValues:
    """The same, and what it has bound lands."""
    made = run_of(text, user_ns, **values)
    land([made], user_ns)
    return made
