"""Whether a task may run, judged from how the tasks before it ended.

A built-in trigger is a counter: it judges by how many upstream task runs ended how, so a fan-in of any width costs
nothing. It can also be called as in Prefect 1, with ``{Edge: State}``, alone or from a trigger of the user's own.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core import signals
from notebook_flows.core.context import context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.core.state import State


class Verdict(Enum):
    """What a trigger says."""

    RUN = auto()
    FAIL = auto()
    SKIP = auto()
    PAUSE = auto()


class Counts(NamedTuple):
    """How the upstream task runs ended; children of mapped tasks count one by one.

    Attributes:
        total: all of them.
        failed: those that did not end well.
        skipped: those that were skipped; they count as successful too.
        resumed: a person has said that this task may go on.
    """

    total: int
    failed: int
    skipped: int
    resumed: bool = False


class Trigger:
    """A built-in trigger.

    Attributes:
        name: as in Prefect 1.
        judge: from counts to a verdict.
        complaint: why the task may not run, for people.
    """

    __slots__ = ("__name__", "complaint", "judge", "name")

    def __init__(self, name: str, complaint: str, judge: Callable[[Counts], Verdict]) -> None:
        self.name = self.__name__ = name
        self.complaint = complaint
        self.judge = judge

    def __call__(self, upstream_states: Mapping[Any, State]) -> bool:
        """Judge these states; True, or raise TRIGGERFAIL, SKIP or PAUSE."""
        verdict = self.judge(counted(upstream_states, resumed=bool(context.get("resume"))))
        match verdict:
            case Verdict.RUN:
                return True
            case Verdict.SKIP:
                raise signals.SKIP(self.complaint)
            case Verdict.PAUSE:
                raise signals.PAUSE(self.complaint)
            case Verdict.FAIL:
                raise signals.TRIGGERFAIL(self.complaint)

    def __repr__(self) -> str:
        return f"<trigger {self.name}>"

    def __reduce__(self) -> Any:
        return (_from_name, (self.name,)) if self.name in _BY_NAME else (_share_from_name, (self.name,))


def counted(upstream_states: Mapping[Any, State], *, resumed: bool = False) -> Counts:
    """How these states count; the children of a mapped state count one by one."""
    leaves: list[State] = []
    for state in upstream_states.values():
        children = getattr(state, "map_states", None)
        leaves.extend(children) if children else leaves.append(state)
    return Counts(
        total=len(leaves),
        failed=sum(not s.is_successful() for s in leaves),
        skipped=sum(s.is_skipped() for s in leaves),
        resumed=resumed,
    )


def _run_if(allowed: bool) -> Verdict:
    return Verdict.RUN if allowed else Verdict.FAIL


def _share(name: str, at_least: float | None, at_most: float | None, count: Callable[[Counts], int]) -> Trigger:
    def judge(counts: Counts) -> Verdict:
        if not counts.total:
            return Verdict.RUN
        low = 1 if at_least is None else at_least * counts.total if 0 < at_least < 1 else at_least
        high = counts.total if at_most is None else at_most * counts.total if 0 < at_most < 1 else at_most
        return _run_if(low <= count(counts) <= high)

    bounds = ", ".join(f"{k}={v}" for k, v in (("at_least", at_least), ("at_most", at_most)) if v is not None)
    return Trigger(f"{name}({bounds})", f"Trigger was {name}({bounds}), which the upstream tasks do not meet", judge)


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Run if so many upstream tasks failed; numbers below 1 are shares of all. At least one, unless said otherwise."""
    return _share("some_failed", at_least, at_most, lambda c: c.failed)


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Run if so many upstream tasks succeeded; numbers below 1 are shares of all. At least one, unless said otherwise."""
    return _share("some_successful", at_least, at_most, lambda c: c.total - c.failed)


all_successful = Trigger(
    "all_successful",
    'Trigger was "all_successful" but some of the upstream tasks failed.',
    lambda c: _run_if(not c.failed),
)
all_failed = Trigger(
    "all_failed",
    'Trigger was "all_failed" but some of the upstream tasks succeeded.',
    lambda c: _run_if(c.failed == c.total),
)
any_successful = Trigger(
    "any_successful",
    'Trigger was "any_successful" but none of the upstream tasks succeeded.',
    lambda c: _run_if(not c.total or c.failed < c.total),
)
any_failed = Trigger(
    "any_failed",
    'Trigger was "any_failed" but none of the upstream tasks failed.',
    lambda c: _run_if(not c.total or bool(c.failed)),
)
all_finished = Trigger("all_finished", 'Trigger was "all_finished".', lambda _: Verdict.RUN)
always_run = all_finished
not_all_skipped = Trigger(
    "not_all_skipped",
    "All upstream tasks were skipped.",
    lambda c: Verdict.SKIP if c.skipped == c.total else _run_if(not c.failed),
)
manual_only = Trigger(
    "manual_only",
    'Trigger was "manual_only": waiting for a person.',
    lambda c: Verdict.RUN if c.resumed else Verdict.PAUSE,
)

_BY_NAME = {
    t.name: t
    for t in (all_successful, all_failed, any_successful, any_failed, all_finished, not_all_skipped, manual_only)
}


def _from_name(name: str) -> Trigger:
    return _BY_NAME[name]


def _share_from_name(name: str) -> Trigger:
    kind, _, rest = name.partition("(")
    bounds = dict(part.split("=") for part in rest.rstrip(")").split(", ") if part)
    make = {"some_failed": some_failed, "some_successful": some_successful}[kind]
    return make(**{key: float(value) if "." in value else int(value) for key, value in bounds.items()})
