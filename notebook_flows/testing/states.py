"""One assertion about how the tasks of a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.core.task import Task
from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {facts_of(state).word: api.class_of(state) for state in S}


def assert_states(state: api.State, expected: Mapping[Task | str, type[api.State] | str]) -> None:
    """Assert how tasks of a run ended; those that are not named may have ended in any way.

    Args:
        state: what `flow.run()` returned.
        expected: {task or its name: the class of its State, the name of the class, or its word, such as
            ``"upstream failed"``}. Of a name that several tasks have, all must stand so. A class stands for those
            below it too only where it is given as a class.

    Raises:
        AssertionError: tells all differences, with the tasks' messages.
        LookupError: no task, or no state, has this name.
    """
    differences: list[str] = []
    for who, wanted in expected.items():
        for name, found in _found(state, who):
            if not _stands(found, wanted):
                said = f" ({found.message})" if found.message else ""
                differences.append(f"  {name!r} is {type(found).__name__}{said}, expected {_told(wanted)}")
    if differences:
        raise AssertionError("\n".join(["These tasks ended in another way:", *differences]))


def _found(state: api.State, who: Task | str) -> list[tuple[str, api.State]]:
    if isinstance(who, Task):
        return [(who.name, state.result[who])]
    found = [(task.name, one) for task, one in state.result.items() if task.name == who]
    if not found:
        slip = did_you_mean(who, [task.name for task in state.result])
        raise LookupError(f"No task of this run is named {who!r}.{slip}")
    return found


def _stands(found: api.State, wanted: type[api.State] | str) -> bool:
    if isinstance(wanted, type):
        return isinstance(found, wanted)
    return type(found) is _class_of(wanted)


def _class_of(word: str) -> type[api.State]:
    cls = _WORDS.get(word.lower())
    if cls is None:
        cls = next((one for one in api.State.children() if one.__name__ == word), None)
    if cls is None:
        known = [*_WORDS, *api.State.children(names_only=True)]
        raise LookupError(f"No state is called {word!r}.{did_you_mean(word, known)}")
    return cls


def _told(wanted: type[api.State] | str) -> str:
    return wanted.__name__ if isinstance(wanted, type) else wanted
