"""A cell is walked through without being run: which names and objects it reads, binds and may change on the way.

It goes through the steps in order, joins what branches leave, and goes round loops until nothing is new. Functions of
the notebook are walked through where they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.analysis import program as p
from notebook_flows.analysis.evaluating import Evaluating
from notebook_flows.analysis.heap import DEEP, INSTANCE, NOTHING, PLAIN, READER, Frame, Heap, Value
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_ROUNDS = 12  # a loop that is not at rest by then hands its values round a ring longer than anybody writes
_MOST_STEPS = 60_000  # in one cell, those of the functions that it calls included: about half a second


class TooIntricateError(FlowError):
    """The functions of the notebook call one another in more ways than can be followed; the cell becomes opaque."""


class _State(NamedTuple):
    """What branches share out and join: names of the cell and of the innermost frame."""

    values: dict[str, Value]
    sure: frozenset[str]
    gone: frozenset[str]
    local: dict[str, Value]
    is_dead: bool


class Walk(Evaluating):
    """The walk through one cell; what was found stands in its attributes."""

    def __init__(self, heap: Heap, key: Hashable, outside: Callable[[str], Value | None]) -> None:
        super().__init__(heap, key, outside)
        self._is_dead = False
        self._steps_left = _MOST_STEPS

    def through(self, program: p.Program) -> None:
        """Through a whole cell; however long its text is, it is gone through once."""
        self._steps_left += len(program.steps)
        self.run(program.steps)

    # --- steps

    def spend(self, steps: int) -> None:
        """Work that counts as so many steps.

        Raises:
            TooIntricateError: there were too many.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            raise TooIntricateError

    def run(self, block: p.Block) -> None:
        """Through some steps, in order."""
        self.spend(len(block))
        for step in block:
            _STEPS[type(step)](self, step)

    def _do(self, step: p.Do) -> None:
        self.value(step.value)

    def _hold(self, step: p.Hold) -> None:
        self.held[step.slot] = self.value(step.value)

    def _bind(self, step: p.Bind) -> None:
        self.bind(step.name, self.value(step.value), step.line)

    def _augment(self, step: p.Augment) -> None:
        old, new = self.load(step.name, step.line), self.value(step.value)
        self.write(old)
        self.heap.put(self.changeable(old), self.heap.inside(new) | new)
        self.bind(step.name, old | self.joined(step.site, (old, new)), step.line)

    def _store(self, step: p.Store) -> None:
        target, value = self.value(step.target), self.value(step.value)
        place = self.heap.dotted(target)
        if place is not None:
            self.note_place(f"{place}.{step.attribute}" if step.attribute else place)
        self.write(target)
        self.heap.put(self.changeable(target), value)

    def _enter(self, step: p.Enter) -> None:
        value = self.value(step.value)
        self.held[step.slot] = value
        if self.heap.dotted(value) is None:
            for number in value:
                if self.heap.things[number].kind == INSTANCE:
                    for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                        found = self.method(number, name)
                        self.held[step.slot] |= self.call_each(found, number, step.slot)
            self.write(frozenset(n for n in value if self.heap.things[n].kind in {PLAIN, DEEP, READER}))

    def _branch(self, step: p.Branch) -> None:
        start = self._state()
        ends = []
        for block in step.blocks:
            self._go_to(start)
            self.run(block)
            ends.append(self._state())
        self._go_to(_joined(ends))

    def _loop(self, step: p.Loop) -> None:
        start = self._state()
        for _ in range(_ROUNDS):
            growth = self.heap.growth
            self.run(step.body)
            after = self._state()._replace(is_dead=False)
            joined = _joined([start, after])
            is_at_rest = growth == self.heap.growth and joined.values == start.values and joined.local == start.local
            start = joined
            self._go_to(joined)
            if is_at_rest:
                break
        self._branch(p.Branch((step.orelse, ())))

    def _try(self, step: p.Try) -> None:
        start = self._state()
        self.run(step.body)
        after = self._state()
        broken = _joined([start, after._replace(is_dead=False)])._replace(is_dead=False)
        self.run(step.orelse)
        ends = [self._state()]
        for handler in step.handlers:
            self._go_to(broken)
            self.run(handler)
            ends.append(self._state())
        self._go_to(_joined(ends))
        is_dead, self._is_dead = self._is_dead, False
        self.run(step.final)
        self._is_dead |= is_dead

    def _leave(self, step: p.Leave) -> None:
        value = self.value(step.value)
        if step.is_return:
            self.give_back(value)
        else:
            self.raised |= value
        self._is_dead = True

    def _yield(self, step: p.Yield) -> None:
        self.give_back(self.value(step.value))

    def give_back(self, value: Value) -> None:
        """What a function hands to who has called it."""
        frame = self.frame
        while frame is not None and frame.kind != "function":
            frame = frame.parent
        if frame is not None and not value <= frame.returned:
            frame.returned |= value
            frame.grew = True

    def _unseen(self, step: p.Unseen) -> None:
        self.note_unseen(step.reason)

    def _note(self, step: p.Note) -> None:
        if step.kind == "star":
            self.particulars += 1
            self.star.append(step.text)
        elif step.kind == "hidden":
            self.hidden.add(step.text)
        else:
            self.note_effect(step.text)

    def _uses(self, step: p.Uses) -> None:
        self.particulars += 1
        self.files.update(dict.fromkeys(step.uses))

    def _delete(self, step: p.Delete) -> None:
        name = step.name
        if self.frame is not None and name not in self.frame.global_names:
            return  # the name is gone with the frame anyway
        self.particulars += 1
        if name not in self.sure:
            self.load_global(name, step.line)
            self.gone.add(name)
        elif name in self.taken or name in self.reads:
            self.gone.add(name)
        else:
            self.passing.add(name)
        self.values.pop(name, None)
        self.sure.discard(name)

    # --- branches

    def _state(self) -> _State:
        local = dict(self.frame.values) if self.frame is not None else {}
        return _State(dict(self.values), frozenset(self.sure), frozenset(self.gone), local, self._is_dead)

    def _go_to(self, state: _State) -> None:
        self.values, self.sure, self.gone = dict(state.values), set(state.sure), set(state.gone)
        if self.frame is not None:
            self.frame.values = dict(state.local)
        self._is_dead = state.is_dead

    def in_frame(self, frame: Frame, block: p.Block) -> None:
        """Through some steps, with the names of the frame."""
        above = self.frame, self._is_dead, self.held
        self.frame, self._is_dead, self.held = frame, False, frame.held
        self.run(block)
        self.frame, self._is_dead, self.held = above


def _joined(states: list[_State]) -> _State:
    """What is known where several ways meet; ways that end in `raise` or `return` say nothing on what is sure."""
    live = [state for state in states if not state.is_dead] or states
    values: dict[str, Value] = {}
    local: dict[str, Value] = {}
    for state in states:
        for name, value in state.values.items():
            values[name] = values.get(name, NOTHING) | value
        for name, value in state.local.items():
            local[name] = local.get(name, NOTHING) | value
    sure = frozenset.intersection(*(state.sure for state in live))
    gone = frozenset().union(*(state.gone for state in live))
    return _State(values, sure, gone, local, all(state.is_dead for state in states))


_STEPS: dict[type, Callable[[Walk, Any], None]] = {
    p.Do: Walk._do,
    p.Hold: Walk._hold,
    p.Bind: Walk._bind,
    p.Augment: Walk._augment,
    p.Store: Walk._store,
    p.Delete: Walk._delete,
    p.Enter: Walk._enter,
    p.Branch: Walk._branch,
    p.Loop: Walk._loop,
    p.Try: Walk._try,
    p.Leave: Walk._leave,
    p.Yield: Walk._yield,
    p.Unseen: Walk._unseen,
    p.Note: Walk._note,
    p.Uses: Walk._uses,
}
