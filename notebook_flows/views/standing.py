"""How the tasks of a flow stand, as pictures tell it: from the State that `flow.run()` returned, or from a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core import state as api
from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.core.standins import settle
from notebook_flows.engine.results import TaskStates
from notebook_flows.errors import FlowError
from notebook_flows.views.diagram import MOST_CHILDREN
from notebook_flows.views.table import counts_of, gravest, short_counts, told_counts
from notebook_flows.views.text import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.views.diagram import Diagram, Node

LONGEST_MESSAGE = 300
LONGEST_TITLE = 60
TITLES_TOLD = 3
_NO_COUNTS: Mapping[S, int] = {}


class Standing(NamedTuple):
    """How a task, or a child of a mapped task, stands.

    Attributes:
        state: None where nobody knows.
        children: of a mapped task, how many of its children are in each state.
        message: what there is to say about it.
        attached: the titles of what it, or its children, have attached.
    """

    state: S | None
    children: Mapping[S, int] = _NO_COUNTS
    message: str | None = None
    attached: tuple[str, ...] = ()


class Mark(NamedTuple):
    """What is seen of a node's state; all that changes in a picture while a run goes on.

    Attributes:
        state: by which it is coloured; of a collapsed mapped task the gravest of its children's.
        line: what stands below the name: glyph and word, or the children's counts.
        tooltip: the whole name, state and message.
        attached: what the badge with the number of artifacts says; empty: it has none.
        attached_count: that number.
    """

    state: S | None
    line: str
    tooltip: str
    attached: str = ""
    attached_count: int = 0


Standings = Mapping[tuple[int, int], Standing]
"""{(task, index): how it stands}; the index of what is no child is ``UNMAPPED``."""


def marks_of(diagram: Diagram, standings: Standings) -> dict[str, Mark]:
    """{node's id: what is seen of its state}."""
    unknown = Standing(None)
    return {node.id: _mark(node, standings.get((node.task, node.child), unknown)) for node in diagram.nodes}


def state_of(standing: Standing | None) -> S | None:
    """The one state by which a node is coloured; of a collapsed mapped task the gravest of its children's."""
    if standing is None:
        return None
    return (gravest(standing.children) if standing.children else None) or standing.state


def _mark(node: Node, standing: Standing) -> Mark:
    name = shortened(printable(node.name), LONGEST_MESSAGE)
    state = state_of(standing)
    attached, count = _told_attached(standing.attached), len(standing.attached)
    if state is None:
        return Mark(None, "", name, attached, count)
    facts = facts_of(state)
    line = short_counts(standing.children) if standing.children else f"{facts.glyph} {facts.word}"
    told = told_counts(standing.children) or facts.word
    message = shortened(printable(standing.message or ""), LONGEST_MESSAGE)
    said = [f"{name}: {told}", *([message] if message else []), *([attached] if attached else [])]
    return Mark(state, line, ". ".join(said), attached, count)


def _told_attached(titles: tuple[str, ...]) -> str:
    """What is attached, in one line.

    >>> _told_attached(("Bad rows", "plot", "a", "b", "c")), _told_attached(())
    ('Attached: Bad rows, plot, a and 2 more', '')
    """
    if not titles:
        return ""
    shown = ", ".join(shortened(printable(title), LONGEST_TITLE) for title in titles[:TITLES_TOLD])
    more = len(titles) - TITLES_TOLD
    return f"Attached: {shown}" + (f" and {more:,} more" if more > 0 else "")


def widths_of(standings: Standings) -> dict[int, int]:
    """{mapped task: how many children it has}."""
    return {task: sum(one.children.values()) for (task, _), one in standings.items() if one.children}


def standings_of(flow: Flow, flow_state: api.State) -> Standings:
    """How a flow's tasks ended.

    Args:
        flow: whose tasks are drawn; those that the state does not know stand nowhere.
        flow_state: what `run` returned, or any State whose result is {task: State}.
    Raises:
        FlowError: it is no flow's state.
    """
    settle(flow)
    found = flow_state.result
    if isinstance(found, TaskStates):
        return _from_ledger(flow, found)
    if not isinstance(found, Mapping):
        raise FlowError(
            f"{flow_state!r} is not the state of a flow, whose result is a dict of its tasks' states. "
            "Give `flow_state` what `flow.run()` returned."
        )
    return _from_dict(flow, found)


def _from_ledger(flow: Flow, states: TaskStates) -> Standings:
    """Past the façade, which would load every value to make its States."""
    ledger, number_of = states._ledger, states._numbers()
    theirs = {task: number_of[run_task] for task, run_task in _known(flow, number_of)}
    return _told(ledger.run, ledger.messages, theirs)


def _known(flow: Flow, known: Mapping[Any, Any]) -> list[tuple[int, Any]]:
    """(number in the flow, task) of the flow's tasks that are known."""
    return [(number, task) for number, task in enumerate(flow._into) if task in known]


def standings_of_run(run: Run) -> Standings:
    """How the tasks of a run stand by now."""
    return _told(run, {}, {number: number for number in range(len(run.plan.graph))})


def with_messages(standings: Standings, messages: Mapping[tuple[int, int], str]) -> Standings:
    """The same, with what there is to say of each.

    Args:
        standings: of a run.
        messages: (task, index) -> what its last attempt has said, of those that have said something.
    """
    return {
        place: one._replace(message=messages[place]) if messages.get(place) else one for place, one in standings.items()
    }


def _told(run: Run, messages: Mapping[int, str], theirs: Mapping[int, int]) -> Standings:
    """Args: theirs: {number in the picture: number in the run}."""
    told: dict[tuple[int, int], Standing] = {}
    for task, number in theirs.items():
        children = run.children.get(number)
        states = run.state[children.first : children.first + children.width] if children is not None else []
        attached = _attached(run, number)
        counts = counts_of(states) if states else _NO_COUNTS
        told[task, UNMAPPED] = Standing(run.state[number], counts, messages.get(number), attached)
        if children is not None and children.width <= MOST_CHILDREN:
            for index, state in enumerate(states):
                child = children.first + index
                told[task, index] = Standing(state, message=messages.get(child), attached=_titles(run, child))
    return told


def _titles(run: Run, number: int) -> tuple[str, ...]:
    """Of what one task run has attached."""
    return tuple(run.attached[number].values()) if number in run.attached else ()


def _attached(run: Run, number: int) -> tuple[str, ...]:
    """Of what a task has attached, with its children."""
    children = run.children.get(number)
    if not run.attached or children is None:
        return _titles(run, number)
    inside = range(children.first, children.first + children.width)
    several = inside if children.width < len(run.attached) else [one for one in run.attached if one in inside]
    return tuple(title for one in (number, *several) for title in _titles(run, one))


def _from_dict(flow: Flow, states: Mapping[Any, Any]) -> Standings:
    told: dict[tuple[int, int], Standing] = {}
    for task, key in _known(flow, states):
        state = states[key]
        children: Sequence[api.State] = state.map_states if isinstance(state, api.Mapped) else ()
        counts = counts_of(_event_state(child) for child in children)
        told[task, UNMAPPED] = Standing(_event_state(state), counts, state.message)
        if len(children) <= MOST_CHILDREN:
            for index, child in enumerate(children):
                told[task, index] = Standing(_event_state(child), message=getattr(child, "message", None))
    return told


def _event_state(state: Any) -> S | None:
    try:
        return api.event_state_of(state)
    except TypeError:  # nothing that a picture could tell
        return None
