"""What follows from where a run stands: commands, for the engine to obey."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, IS_SUCCESSFUL, S
from notebook_flows.core.plan import LONGEST_SEGMENT, NO_FOLLOWER
from notebook_flows.core.run import INDEX_BITS, INDEX_MASK, finished_states
from notebook_flows.core.triggers import Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from notebook_flows.core.run import Run


NO_LIMIT = -1
NOTHING: tuple[int, ...] = ()
_new = tuple.__new__
_PENDING, _RUNNING = S.PENDING, S.RUNNING
_NOT_NOW = frozenset({S.QUEUED, S.RUNNING, S.PAUSED})
_CAN_CLEAN_UP = frozenset({S.PENDING, S.RETRYING, S.LOOPED})


class Start(NamedTuple):
    """Run this task run; ``then`` are those that may follow it on the same worker, one after the other."""

    number: int
    then: tuple[int, ...] = ()


class Mark(NamedTuple):
    """Record that this task run is now in this state, without running it."""

    number: int
    state: S
    reason: str


class Judge(NamedTuple):
    """Ask the task's own trigger whether it may run."""

    number: int


class Expand(NamedTuple):
    """Find out how many children this mapped task has."""

    node: int


class End(NamedTuple):
    """The run is over."""

    state: S
    reason: str


Command = Start | Mark | Judge | Expand | End


def decide(
    run: Run,
    *,
    room: int,
    now_us: int,
    in_segments: bool = False,
    one_by_one: bool = False,
) -> list[Command]:
    """What is to be done now; each command is told once.

    Args:
        run: where it stands; what is told to start counts as queued from then on.
        room: how many more task runs may be handed out; 0 while nothing may start.
        now_us: microseconds since 1970.
        in_segments: chains go to one worker as a whole.
        one_by_one: what is told to start runs one after the other, and nothing is decided until it has: only so much is
            told to start as would run in this order anyway.
    Returns:
        Commands in the order of the tasks' definition; empty: wait until something ends, or is due.
    """
    commands: list[Command] = []
    if run.is_over:
        return commands
    while run.due and run.due[0][0] <= now_us:
        due_us, key = heappop(run.due)
        number = run.number_at(key)
        if run.resting.get(number) == due_us:
            del run.resting[number]
            heappush(run.frontier, key)
    if not run.stopping:
        if not (run.has_failed and run.plan.fail_fast):
            if one_by_one:
                room = min(room, 1) if run.limit_used else room
            _from_frontier(run, room, in_segments, one_by_one, commands)
        elif run.plan.cleanups and not run.in_flight:
            steps = _clean_up(run, room)
            if steps is not None:
                return steps
    if not commands and not run.in_flight:
        end = _end_of(run, may_start=room > 0)
        if end is not None:
            commands.append(end)
    return commands


def asked_in_turn(run: Run, asked: Container[int]) -> Iterator[int]:
    """One after the other, the task runs that `decide` would tell to start before all others, if they are asked about.

    What is told is not in the frontier any more: its end is to be applied before the next one is asked for, or, if it has
    to run after all, `Run.put_back` puts it there again, and the rest is left to `decide`. So a chain of results that are
    known is walked through without deciding about all that there is. It ends where something may come before the next
    one, or is in its way.

    Args:
        run: where it stands.
        asked: the tasks of which is asked whether they need run.
    """
    frontier, state, failed, skipped, due, plan = run.frontier, run.state, run.failed, run.skipped, run.due, run.plan
    judges, mapped, fail_fast = plan.judges, plan.mapped, plan.fail_fast
    if run.limit_used or run.was_reopened:
        return
    while frontier and not due and not run.stopping and run.run_state is _RUNNING:
        key = frontier[0]
        node = key >> INDEX_BITS
        number = node if not key & INDEX_MASK else run.number_at(key)
        if node not in asked or state[number] is not _PENDING or failed[number] or skipped[number] or node in judges:
            return
        if (number == node and node in mapped) or (fail_fast and run.has_failed):
            return
        heappop(frontier)
        yield number


def _from_frontier(
    run: Run,
    room: int,
    in_segments: bool,
    one_by_one: bool,
    commands: list[Command],
) -> None:
    plan = run.plan
    frontier = run.frontier
    size = len(plan.graph.inputs)
    state, failed, skipped = run.state, run.failed, run.skipped
    downstream = plan.graph.downstream
    last_key = -1
    soonest = size  # the first task that what is told to start may make ready; it would come before those after it
    has_started = False
    was_reopened = run.was_reopened
    while frontier:
        key = frontier[0]
        if key == last_key:  # in a run that was rebuilt from its events, one may stand here twice
            heappop(frontier)
            continue
        last_key = key
        number = run.number_at(key)
        if was_reopened and run.waiting[number]:  # what it waits for has ended, and has not any more
            heappop(frontier)
            continue
        now = state[number]
        if now is not _PENDING:
            if IS_FINAL[now] or now in _NOT_NOW or (now is S.RETRYING and number in run.resting):
                heappop(frontier)
                continue
            if now is S.EXPANDED:
                if has_started:
                    return
                heappop(frontier)
                if not run.left[number]:
                    commands.append(Mark(number, S.MAPPED, ""))
                continue
        verdict = _verdict(run, number) if failed[number] or skipped[number] or plan.judges else None
        if verdict is not None:
            if has_started:
                return
            heappop(frontier)
            commands.append(verdict)
            continue
        if number < size and number in plan.mapped:
            if has_started:
                return
            heappop(frontier)
            commands.append(Expand(number))
            continue
        if room <= 0:
            return
        if one_by_one:
            node = key >> INDEX_BITS
            if not has_started and commands:
                return  # what they lead to, such as a verdict, may come before this one
            if has_started:
                if node > soonest or not plan.plain[node]:
                    return
            else:
                has_started = True
                if not plan.plain[node]:
                    room = 1
            after = (
                downstream[node] if node not in plan.mapped else (node,)
            )  # a mapped task is marked after its children
            if after and after[0] < soonest:
                soonest = after[0]
        heappop(frontier)
        full = _full_limit(run, number) if run.limit_used else NO_LIMIT
        if full != NO_LIMIT:
            run.park(number, full)
            continue
        run.queue(number)
        room -= 1
        then = NOTHING
        if in_segments and number < size and plan.followers[number] != NO_FOLLOWER:
            then = _segment(run, number)
        commands.append(_new(Start, (number, then)))


def _clean_up(run: Run, room: int) -> list[Command] | None:
    """What the next clean-up needs, after a failure in a run with ``fail_fast``; None: nothing is left to clean up.

    Nothing runs any more, and nothing but clean-ups will start. So whoever used the resource has ended, or will never
    begin, and a clean-up waits for its set-up only. They go one after the other in the order of definition, in which
    inner resources come before outer ones.
    """
    for node in sorted(run.plan.cleanups):
        children = run.children.get(node)
        if children is not None and run.state[node] is S.EXPANDED and not run.left[node]:
            return [Mark(node, S.MAPPED, "")]
        if children is None and node in run.plan.mapped:
            if run.state[node] is S.PENDING and _can_expand(run, node):
                return [Expand(node)]
            continue
        for index in range(1 if children is None else children.width):
            number = node if children is None else children.first + index
            if run.state[number] in _CAN_CLEAN_UP and _is_set_up(run, node, index):
                return _start_clean_up(run, number, room)
    return None


def _start_clean_up(run: Run, number: int, room: int) -> list[Command]:
    if number in run.resting:
        return []
    if room <= 0:
        if not run.frontier:
            heappush(run.frontier, run.key_of(number))  # so that it is seen that something is left to do
        return []
    run.queue(number)
    return [Start(number)]


def _can_expand(run: Run, node: int) -> bool:
    """Whether it is known how many resources there were; it is not if a task that uses them was not mapped yet."""
    return all(
        one.upstream in run.children
        or (IS_SUCCESSFUL[run.state[one.upstream]] and run.state[one.upstream] is not S.SKIPPED)
        for one in run.plan.graph.inputs[node]
        if one.is_mapped
    )


def _is_set_up(run: Run, node: int, index: int) -> bool:
    for one in run.plan.graph.inputs[node]:
        if one.key is not None:
            above = run.children.get(one.upstream)
            number = one.upstream if above is None or not one.is_mapped else above.first + index
            if not IS_SUCCESSFUL[run.state[number]] or run.state[number] is S.SKIPPED:
                return False
    return True


def _full_limit(run: Run, number: int) -> int:
    """The first limit that leaves no room for this task run, or ``NO_LIMIT``."""
    for limit in run.plan.limits.get(run.place_of(number)[0], ()):
        if run.limit_used[limit] >= run.plan.limit_sizes[limit]:
            return limit
    return NO_LIMIT


def _segment(run: Run, number: int) -> tuple[int, ...]:
    then: list[int] = []
    follower = run.plan.followers[number]
    while follower != NO_FOLLOWER and len(then) < LONGEST_SEGMENT and run.state[follower] is S.PENDING:
        run.promise(follower)
        then.append(follower)
        follower = run.plan.followers[follower]
    return tuple(then)


def _verdict(run: Run, number: int) -> Mark | Judge | None:
    """Why it does not run, or who has to say so; None: it runs."""
    failed = run.failed[number]
    skipped = run.skipped[number]
    plan = run.plan
    node, index = run.place_of(number)
    has_begun = run.attempt[number] or number in run.loops
    if number in run.judged or (has_begun and number not in run.judged_anew):
        return None
    if skipped and node not in plan.ignores_skips:
        return Mark(number, S.SKIPPED, "after a skipped task")
    if node not in plan.judges:
        return Mark(number, S.UPSTREAM_FAILED, f"after {_first_failed(run, node)}") if failed else None
    if index == UNMAPPED and node in plan.mapped:
        return None  # each of its children is judged
    judge = plan.judges[node]
    if judge is None:
        return Judge(number)
    match judge(run.counts_before(number)):
        case Verdict.RUN:
            return None
        case Verdict.SKIP:
            return Mark(number, S.SKIPPED, plan.complaints[node])
        case Verdict.PAUSE:
            return Mark(number, S.PAUSED, plan.complaints[node])
        case Verdict.FAIL:
            return Mark(number, S.UPSTREAM_FAILED, plan.complaints[node])


def _first_failed(run: Run, node: int) -> str:
    for one in run.plan.graph.inputs[node]:
        if any(IS_FAILED[state] for state in finished_states(run, one.upstream)):
            return run.plan.names[one.upstream] if run.plan.names else f"task {one.upstream}"
    return "a failed task"


def _end_of(run: Run, *, may_start: bool) -> End | None:
    if run.stopping:
        return End(run.stopping, "")
    if run.unfinished and not (run.has_failed and run.plan.fail_fast):
        if run.resting or (run.frontier and not may_start):
            return None
        if run.paused:
            return End(S.PAUSED, "Waiting for a person.")
        if not may_start:
            return None
        raise AssertionError("nothing runs, nothing is ready, and yet the run is not over")
    references = run.plan.references
    if run.children:
        states = {state for node in references for state in finished_states(run, node)}
    else:
        states = {run.state[node] for node in references}
    if any(IS_FAILED[state] or not IS_FINAL[state] for state in states):
        return End(S.FAILED, "Some reference tasks failed.")
    if all(IS_SUCCESSFUL[state] for state in states):
        return End(S.SUCCESS, "All reference tasks succeeded.")
    return End(S.SUCCESS, "No reference tasks failed.")
