"""What travels once to each worker process: functions, classes, tasks, and values that are big."""

from __future__ import annotations

import itertools
import pickle
from collections import OrderedDict
from dataclasses import replace
from io import BytesIO
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.signature import Signature
from notebook_flows.engine.call import Pickled, RunFacts
from notebook_flows.engine.open_calls import links_of
from notebook_flows.errors import NotTransferable
from notebook_flows.executors.frames import BIG
from notebook_flows.executors.pickles import PROTOCOL, dumps, is_importable, is_run_of_task, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from notebook_flows.engine.call import Call

SHELF_BYTES = 64 * 1024 * 1024
SHELF_COUNT = 2_000
"""How much is kept ready in the parent for the next worker that asks for it."""


class Thing(NamedTuple):
    """A pickle with a number, by which others refer to it.

    Attributes:
        needs: the things that its pickle refers to.
    """

    number: int
    data: bytes
    needs: tuple[Thing, ...] = ()

    def with_needs(self) -> Iterator[Thing]:
        """What it refers to, then itself."""
        for thing in self.needs:
            yield from thing.with_needs()
        yield self


class Setting(NamedTuple):
    """What surrounds all attempts of one run.

    Attributes:
        keys: of the ``with context(...)`` blocks around `Flow.run`; None without any.
    """

    facts: RunFacts
    keys: Mapping[str, Any] | None


class Shelf:
    """Makes things of objects, once per object, and keeps the latest.

    Args:
        keys: those of `Setting`; what cannot be pickled is left out.
    """

    def __init__(self, keys: Mapping[str, Any] | None = None) -> None:
        self._keys = keys
        self._numbers = itertools.count(1)
        self._kept: OrderedDict[Any, tuple[Any, Thing]] = OrderedDict()
        self._bytes = 0

    def packed_call(self, head: Call) -> tuple[bytes, tuple[Thing, ...]]:
        """A call, with the rest of its segment, as bytes, and the things that these refer to.

        Raises:
            NotTransferable: the task or an argument cannot be pickled.
        """
        facts = self.thing_of(head.facts)
        needs: dict[int, Thing] = {facts.number: facts}
        links = []
        call: Call | None = head
        while call is not None:
            task: Any = call.task  # goes along, but for the children of a mapped task, which have it in common
            if call.index >= 0:
                shared = self._task(call)
                needs[shared.number] = shared
                task = shared.number
            links.append((
                call.ref, call.attempt, call.task_key, task, call.arguments, facts.number, call.loop, call.index,
                call.gathered, call.is_plain, call.context, call.upstream_states, call.timeout_s, call.is_async,
                call.passes_to,
            ))  # fmt: skip
            call = call.then
        try:
            data, more = self._dumps(links)
        except NotTransferable:  # a task that packs its own things says itself what is wrong
            raise
        except Exception as error:
            raise self._blamed(head, error) from error
        needs.update(more)
        return data, tuple(needs.values())

    def thing_of(self, value: Any) -> Thing:
        """The thing that this object is."""
        return self._find(id(value), value)

    def _task(self, call: Call) -> Thing:
        try:
            return self._find(("task", call.task_key), call.task)
        except Exception as error:
            raise _unsendable(call, error) from error

    def _find(self, key: Any, value: Any) -> Thing:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found[1]
        if isinstance(value, Pickled):
            thing = Thing(next(self._numbers), value.data)
        elif isinstance(value, (type, FunctionType, Signature)):
            thing = Thing(next(self._numbers), dumps(value))
        elif isinstance(value, RunFacts):
            keys = self._keys and {key: one for key, one in self._keys.items() if _can_be_sent(one)}
            thing = Thing(next(self._numbers), dumps(Setting(_sendable(value), keys)))
        else:
            data, needs = self._dumps(value)
            thing = Thing(next(self._numbers), data, tuple(needs.values()))
        self._kept[key] = (value, thing)
        self._bytes += len(thing.data)
        while len(self._kept) > SHELF_COUNT or (self._bytes > SHELF_BYTES and len(self._kept) > 1):
            _, (_, old) = self._kept.popitem(last=False)
            self._bytes -= len(old.data)
        return thing

    def _dumps(self, value: Any) -> tuple[bytes, dict[int, Thing]]:
        file = BytesIO()
        pickler: Any = _Pickler(file, self)
        try:
            pickler.dump(value)
        except NotTransferable:
            raise
        except Exception:  # cloudpickle can do more, and says it better if it cannot
            file = BytesIO()
            pickler = _cloud_pickler(file, self)
            pickler.dump(value)
        return file.getvalue(), pickler.needs

    def _blamed(self, head: Call, error: Exception) -> NotTransferable:
        for call in links_of(head):
            for name, value in call.arguments.items():
                try:
                    self._dumps(value)
                except Exception as own:
                    return NotTransferable(
                        f"Task {call.task.name!r}: its argument {name!r}, a {type(value).__name__}, cannot be sent to a "
                        f"worker process: {_reason(own)} Make it inside the task, or run the flow with threads."
                    )
            try:
                self._dumps(call.task)
            except Exception as own:
                return _unsendable(call, own)
        return _unsendable(head, error)


def _unsendable(call: Call, error: Exception) -> NotTransferable:
    return NotTransferable(
        f"Task {call.task.name!r} cannot be sent to a worker process: {_reason(error)} "
        "Make what its function refers to inside the function, or run the flow with threads."
    )


def _reduced(pickler: Any, thing: Any) -> Any:
    """How an object refers to a thing of the shelf; NotImplemented if it travels in place."""
    kind = type(thing)
    if kind is Pickled:
        if len(thing.data) < BIG:
            return Pickled, (thing.data,)
        made = pickler.shelf.thing_of(thing)
        pickler.needs[made.number] = made
        return recalled_bytes, (made.number,)
    if kind is FunctionType and is_run_of_task(thing):
        return run_of, (thing.__module__, thing.__qualname__)
    if kind is Signature or ((kind is FunctionType or isinstance(thing, type)) and not is_importable(thing)):
        made = pickler.shelf.thing_of(thing)
        pickler.needs[made.number] = made
        return recalled, (made.number,)
    return NotImplemented


class _Pickler(pickle.Pickler):
    def __init__(self, file: BytesIO, shelf: Shelf) -> None:
        super().__init__(file, PROTOCOL)
        self.shelf = shelf
        self.needs: dict[int, Thing] = {}

    def reducer_override(self, thing: Any) -> Any:
        return _reduced(self, thing)


def _cloud_pickler(file: BytesIO, shelf: Shelf) -> Any:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
        def reducer_override(self, thing: Any) -> Any:
            found = _reduced(self, thing)
            return super().reducer_override(thing) if found is NotImplemented else found

    pickler = Pickler(file, PROTOCOL)
    pickler.shelf = shelf
    pickler.needs = {}
    return pickler


def _sendable(facts: RunFacts) -> RunFacts:
    """The facts without those keys of the context that cannot be pickled: tasks there do not see them."""
    try:
        dumps(facts)
    except Exception:  # pickling users' values may raise anything: then those that do are left out
        return replace(
            facts,
            context={key: value for key, value in facts.context.items() if _can_be_sent(value)},
            results=facts.results if _can_be_sent(facts.results) else None,
        )
    return facts


def _can_be_sent(value: Any) -> bool:
    try:
        dumps(value)
    except Exception:  # as above: whatever it raises, it cannot be sent
        return False
    return True


def _reason(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}".rstrip(". ")
    return f"{text}."


# -- in the worker -----------------------------------------------------------------------------------------------------

_known: dict[int, Any] = {}


class _Unread(NamedTuple):
    data: bytes


def remember(number: int, data: bytes) -> None:
    """A thing has arrived; it is read when it is first needed, so that an error belongs to the task that needs it."""
    _known[number] = _Unread(data)


def forget(numbers: list[int]) -> None:
    """These things will not be asked for again."""
    for number in numbers:
        _known.pop(number, None)


def recalled(number: int) -> Any:
    """The function, class, task or setting with this number."""
    thing = _known[number]
    if type(thing) is _Unread:
        thing = _known[number] = pickle.loads(thing.data)
    return thing


def recalled_bytes(number: int) -> Pickled:
    """The value with this number, in its bytes: each task reads its own copy."""
    return Pickled(_known[number].data)
