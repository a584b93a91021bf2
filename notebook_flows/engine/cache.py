"""Results that ``cache_for`` keeps while this process lives, for all runs in it."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from notebook_flows.core.cache_validators import all_parameters, duration_only, never_use
from notebook_flows.core.state import Cached
from notebook_flows.engine.call import unwrapped
from notebook_flows.engine.timeouts import is_for_others
from notebook_flows.engine.wording import short

if TYPE_CHECKING:
    from notebook_flows.core.task import Task

MOST_KEPT_PER_KEY = 100
_UNCHANGING = (str, bytes, int, float, complex, bool, type(None), type, FunctionType, BuiltinFunctionType, ModuleType)
_IGNORE_INPUTS = frozenset({duration_only, never_use, all_parameters})

type_of_snapshots = dict[str, "_Snapshot"]
type_of_key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A value as it was: those who have it may change it in place.

    Attributes:
        value: the very object.
        pickled: its bytes, or None where it does not pickle.
        copied: a copy of it where it does not pickle; itself where it cannot change.
    """

    value: Any
    pickled: bytes | None
    copied: Any

    @staticmethod
    def of(value: Any) -> _Snapshot:
        """The value as it is now.

        Raises:
            Exception: it can be neither pickled nor copied.
        """
        if type(value) in _UNCHANGING:
            return _Snapshot(value, None, value)
        try:
            return _Snapshot(value, pickle.dumps(value, pickle.HIGHEST_PROTOCOL), None)
        except Exception:  # a lambda in a list, say: a deep copy takes it as it is
            return _Snapshot(value, None, copy.deepcopy(value))

    def as_it_was(self, now: Any) -> Any:
        """The very object that is given now, if it is the one and unchanged; else one that is as it was."""
        if self.pickled is None:
            return self.copied
        try:
            is_unchanged = now is self.value and pickle.dumps(now, pickle.HIGHEST_PROTOCOL) == self.pickled
        except Exception:  # it has become one that does not pickle: it has changed
            is_unchanged = False
        return now if is_unchanged else pickle.loads(self.pickled)


class _Inputs(Mapping[str, Any]):
    """What validators see of cached inputs; each is made when it is asked for."""

    def __init__(self, snapshots: type_of_snapshots, now: Mapping[str, Any]) -> None:
        self._snapshots = snapshots
        self._now = now

    def __getitem__(self, name: str) -> Any:
        return self._snapshots[name].as_it_was(self._now.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshots)

    def __len__(self) -> int:
        return len(self._snapshots)


@dataclass(frozen=True, slots=True)
class _Before:
    """The inputs and parameters of a task run before it ran, which may have changed them."""

    inputs: type_of_snapshots
    parameters: type_of_snapshots


@dataclass(frozen=True, slots=True)
class _Kept:
    result: Any
    before: _Before
    expires: datetime

    def still_holds(self, now_us: int) -> bool:
        return self.expires.timestamp() * 1e6 > now_us

    def as_state(self, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Cached:
        """As validators get it."""
        cached = Cached(result=self.result, cached_result_expiration=self.expires)
        cached.cached_inputs = _Inputs(self.before.inputs, inputs)
        cached.cached_parameters = _Inputs(self.before.parameters, parameters)
        return cached


class RecentResults:
    """{cache key: results, the newest first}."""

    def __init__(self) -> None:
        self._kept: dict[str, list[_Kept]] = {}
        self._begun: WeakKeyDictionary[Task, dict[type_of_key, _Before | None]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def find(self, task: Task, inputs: Mapping[str, Any], parameters: Mapping[str, Any], now_us: int) -> Cached | None:
        """A result that has not expired and that the task's validator accepts, or None: then the task is to run.

        A validator that raises accepts nothing.
        """
        validator = task.cache_validator or duration_only
        loaded = {name: unwrapped(value) for name, value in inputs.items()}
        with self._lock:
            kept = list(self._kept.get(_key(task), ()))
        for one in kept:
            if not one.still_holds(now_us):
                continue
            cached = one.as_state(loaded, parameters)
            try:
                if validator(cached, loaded, parameters):
                    return cached
            except BaseException as error:
                if is_for_others(error):
                    raise
                logging.getLogger(__name__).warning(
                    "The cache_validator of task %r failed, so no cached result is used: %s", task.name, short(error)
                )
                break
        before = _before(task, loaded, parameters)
        with self._lock:
            self._begun.setdefault(task, {})[_identity(inputs)] = before
        return None

    def keep(
        self, task: Task, value: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any], now_us: int
    ) -> None:
        """Keep a result for as long as its task says, with the inputs as `find` has seen them."""
        assert task.cache_for is not None
        with self._lock:
            begun = self._begun.get(task)
            before = begun.pop(_identity(inputs), None) if begun is not None else None
        if before is None:  # they cannot be copied, or the task has changed them: what it would be the result of?
            return
        expires = datetime.fromtimestamp(now_us / 1e6, UTC) + task.cache_for
        with self._lock:
            kept = self._kept.setdefault(_key(task), [])
            newest = _Kept(value, before, expires)
            kept[:] = [newest, *(one for one in kept if one.still_holds(now_us))][:MOST_KEPT_PER_KEY]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._begun.clear()


def _before(task: Task, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> _Before | None:
    validator = task.cache_validator or duration_only
    try:
        return _Before(
            {} if validator in _IGNORE_INPUTS else _snapshots(inputs),
            {} if validator in {duration_only, never_use} else _snapshots(parameters),
        )
    except Exception as error:
        logging.getLogger(__name__).warning(
            "The result of task %r is not cached, for what it is made of cannot be copied: %s", task.name, short(error)
        )
        return None


def _snapshots(values: Mapping[str, Any]) -> type_of_snapshots:
    return {name: _Snapshot.of(value) for name, value in values.items()}


def _identity(inputs: Mapping[str, Any]) -> type_of_key:
    """The same before and after a run, but for lists that the run has changed; those of children are made anew."""
    return tuple((name, tuple(map(id, value)) if type(value) is list else id(value)) for name, value in inputs.items())


def _key(task: Task) -> str:
    return task.cache_key or task.name


RECENT = RecentResults()
