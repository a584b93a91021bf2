"""The fingerprints of what a task run is given, without loading what earlier runs have kept.

A value that is in memory is read anew each time, for another task may have changed it; one that is still in the store, or
in the bytes of another process, is what was recorded of it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from notebook_flows.core.resource import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask
from notebook_flows.engine.call import Pickled, Stored, unwrapped
from notebook_flows.fingerprints import Fingerprints, Unhashable, fingerprint, key_of
from notebook_flows.fingerprints.keys import LASTING, beginning_of, key_beginning

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.results import Ledger

RESOURCES = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)


class InputPrints:
    """Makes keys of task runs.

    Attributes:
        content: {task run: the fingerprint of its value, as it was when it ended}.
    """

    def __init__(self, run: Run, flow: Flow, tasks: list[Task], ledger: Ledger, prints: Fingerprints) -> None:
        self.content: dict[int, str] = {}
        self._run = run
        self._edges_of = run.plan.graph.inputs
        self._constants = flow.constants
        self._tasks = tasks
        self._ledger = ledger
        self._prints = prints
        self._codes: dict[int, str] = {}
        self._known_constants: dict[tuple[int, str], str] = {}
        self._beginnings: dict[int, tuple[Any, str | None, str]] = {}

    def key(self, number: int, node: int, index: int) -> str:
        """The key of a task run that is about to start.

        Raises:
            Unhashable: it has none; says why.
        """
        task = self._tasks[node]
        inputs: dict[str, str] = {}
        constants = self._constants.get(task)
        if constants:
            for name, value in constants.items():
                kind = type(value)  # a number is sooner written than looked for
                inputs[name] = fingerprint(value) if kind is int or kind is float else self._constant(node, name, value)
        edges = self._edges_of[node]
        children = self._run.children
        for upstream, key, is_mapped, is_flattened in edges:
            if key is None:
                continue
            try:
                if is_mapped or is_flattened or upstream in children:
                    inputs[key] = self._input(upstream, index, is_mapped, is_flattened)
                else:
                    inputs[key] = self.of(upstream)
            except Unhashable as error:
                raise error.inside(f"the argument {key!r}") from None
        made = key_beginning(self._beginning(task), inputs)
        if not edges and node not in self._codes:  # then it is made of what `code` tells as well
            self._codes[node] = made
        return made

    def _beginning(self, task: Task) -> str:
        """What the keys of a task begin with: made once for each function, and anew where its version is another one."""
        anchor = task.__dict__.get("run", task)
        version = task.version
        known = self._beginnings.get(id(anchor))
        if known is None or known[1] != version:
            beginning = beginning_of(self._prints.of_code(task), version=version or "")
            known = self._beginnings[id(anchor)] = (anchor, version, beginning)  # alive, so that its id stays its own
        return known[2]

    def code(self, node: int) -> str:
        """The fingerprint of a task as it is written: what it runs, with which constants, in which version.

        Raises:
            Unhashable: it has none; says why.
        """
        known = self._codes.get(node)
        if known is None:
            task = self._tasks[node]
            constants = {
                name: self._constant(node, name, value) for name, value in (self._constants.get(task) or {}).items()
            }
            known = self._codes[node] = key_of(self._prints.of_text(task), constants, version=task.version or "")
        return known

    def _constant(self, node: int, name: str, value: Any) -> str:
        if type(value) not in LASTING:
            try:
                return self._prints.of_value(value)
            except Unhashable as error:
                raise error.inside(f"the argument {name!r}") from None
        known = self._known_constants.get((node, name))
        if known is None:
            known = self._known_constants[node, name] = self._prints.of_value(value)
        return known

    def _input(self, upstream: int, index: int, is_mapped: bool, is_flattened: bool) -> str:
        children = self._run.children.get(upstream)
        if is_flattened:
            whole = self._of_all(upstream) if children is not None else self.of(upstream)
            return _joined("flattened", [whole, str(index if is_mapped else "all")])
        if is_mapped:
            if children is not None:
                return self.of(children.first + index)
            from notebook_flows.core.mapping import element_at

            return self._prints.of_value(element_at(self._ledger.value(upstream), index))
        return self.of(upstream) if children is None else self._of_all(upstream)

    def _of_all(self, node: int) -> str:
        children = self._run.children[node]
        return _joined(
            "gathered", [self.of(number) for number in range(children.first, children.first + children.width)]
        )

    def of(self, number: int) -> str:
        """The fingerprint of the value of a task run that has ended.

        Raises:
            Unhashable: it has none; says why.
        """
        value = self._ledger.values[number]
        known = self.content.get(number)
        kind = type(value)
        if known is None and kind is Stored:
            known = value.content
            if known is not None:
                self.content[number] = known
        if known is not None and (kind in LASTING or kind is Stored or kind is Pickled):
            return known
        if isinstance(self._tasks[self._run.place_of(number)[0]], RESOURCES):
            raise Unhashable("a resource is another one in each run")
        if kind is Stored or kind is Pickled:
            try:
                value = unwrapped(value)
            except Exception as error:  # gone, or bytes that do not load here
                raise Unhashable(f"it cannot be loaded: {error}") from error
        found = self.content[number] = self._prints.of_value(value)
        return found


def _joined(tag: str, parts: list[str]) -> str:
    return f"{tag} {blake2b(','.join(parts).encode(), digest_size=16).hexdigest()}"
