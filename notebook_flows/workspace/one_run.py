"""One run of a flow, put together: its plan, its facts, its history, its executor, and the engine that runs it."""

from __future__ import annotations

import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.collecting import no_collection
from notebook_flows.core.context import context as context_here, current_attempt
from notebook_flows.core.plan import checked_run_id, graph_as_json, planned
from notebook_flows.core.run import Run
from notebook_flows.core.validation import compiled
from notebook_flows.engine.call import RunFacts
from notebook_flows.engine.handlers import handled
from notebook_flows.engine.logs import caught
from notebook_flows.engine.loop import PATIENCE_S, Engine
from notebook_flows.engine.parameters import RunOptionError, shown, told
from notebook_flows.engine.ports import RunInfo
from notebook_flows.engine.results import Attending, Ledger, TaskStates
from notebook_flows.errors import FlowError
from notebook_flows.workspace.attachments import attachments_for
from notebook_flows.workspace.environment import environment
from notebook_flows.workspace.histories import default_results, forget_old_runs, log_for
from notebook_flows.workspace.keeping import keeper_for, keeping_of, reuse_for
from notebook_flows.workspace.run_context import run_context
from notebook_flows.workspace.secrecy import MaskedLog, masked_observer, secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.plan import Plan
    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import Executor, Observer, Reuse, RunLog, WaitingClock
    from notebook_flows.workspace.resuming import Source

PARENT_RUN = "NOTEBOOK_FLOWS_PARENT_RUN"
"""The environment variable by which flows in a kernel learn which run of its notebook they are inside of."""


def run_once(
    flow: Flow,
    given: dict[str, Any],
    clock: WaitingClock,
    *,
    executor: Executor | str | None = None,
    state: api.State | None = None,
    task_states: Mapping[Task, api.State] | None = None,
    context: Mapping[str, Any] | None = None,
    task_contexts: Mapping[Task, Mapping[str, Any]] | None = None,
    flow_run_id: str | None = None,
    flow_run_name: str | None = None,
    history: bool | None = None,
    scheduled_start_time: datetime | None = None,
    observers: Sequence[Observer] = (),
    keep_results: bool | None = None,
    resumes: Source | None = None,
    reuse_by: Callable[[RunInfo, RunLog, Any], Reuse | None] | None = None,
) -> api.State:
    """Run a flow once, to its end; see `Flow.run` for what may be asked, and for what is raised.

    Args:
        flow: what runs.
        given: a value for each parameter that was given one.
        clock: the time.
        executor: where, unless the flow says so itself.
        state: the flow's state to begin with; a final one: nothing runs.
        task_states: {task: the State to begin with}.
        context: more keys of the context, for all tasks.
        task_contexts: {task: more keys of the context, for it alone}.
        flow_run_id: made unless given.
        flow_run_name: made unless given.
        history: False: leave no trace; None: as the settings say.
        scheduled_start_time: when it was due.
        observers: are told of all events.
        keep_results: keep those of all tasks, so that it can be resumed; None: as the settings say.
        resumes: the run that this one goes on with.
        reuse_by: makes what knows of earlier results and keeps those of this run, for tasks that see to that
            themselves; it gets the run, its log, and the history.
    """
    graph = compiled(flow)
    begun = _begun(flow, state)
    tasks = list(flow._into)
    presets, resumed, known = _presets(flow, tasks, task_states or {})
    if context and context.get("resume"):
        resumed = frozenset(range(len(tasks)))
    slugs = list(flow.slugs.values())
    histories = log_for(history)
    keeps_all = keep_results if reuse_by is None else False
    keeping = keeping_of(tasks, histories, keep_results=keeps_all, resumes=resumes)
    with no_collection():
        plan = planned(flow, graph, tasks, presets=presets, resumed=resumed, kept=keeping.kept)
        run = Run(plan)
        known_graph = graph_as_json(graph, plan.names, slugs, plan)
    if begun.is_finished():
        return begun
    run_id = checked_run_id(flow_run_id) if flow_run_id is not None else uuid.uuid4().hex
    name = flow_run_name or f"{flow.name}-{run_id[:6]}"
    place = _executor(executor if executor is not None else flow.executor)
    known_to_all = run_context(flow, given, run_id, name, clock, scheduled_start_time, context or {})
    secrets = secrets_of(flow, known_to_all["parameters"])
    keeper = keeper_for(keeping, secrets)
    facts = RunFacts(
        run_id=run_id,
        flow_name=flow.name,
        context=known_to_all,
        keeps_results=flow.result is not None,
        results=flow.result if flow.result is not None else default_results(),
        keeper=keeper,
        attachments=attachments_for(histories, secrets),
    )
    ledger = _ledger_with(run, known)
    parent = current_attempt()
    info = RunInfo(
        run_id=run_id,
        flow_name=flow.name,
        run_name=name,
        slugs=slugs,
        executor=place.name,
        parent_run_id=parent.run_id if parent is not None else os.environ.get(PARENT_RUN) or None,
        scheduled_us=round(scheduled_start_time.timestamp() * 1e6) if scheduled_start_time else None,
        parameters=told(facts.context["parameters"]),
        graph=known_graph,
        environment={**environment(), **_place_of(parent)},
    )
    keys_of_tasks = {flow._member(task): dict(keys) for task, keys in (task_contexts or {}).items()}
    pid = os.getpid()
    forget_old_runs(histories, clock)
    log = histories.begin(info)
    told_to: list[Observer] = [one for one in observers if not getattr(one, "only_attends", False)]
    if secrets:
        log = MaskedLog(log, secrets)
        told_to = [masked_observer(one, secrets) for one in told_to]
    try:
        reuse: Reuse | None = (
            reuse_by(info, log, histories)
            if reuse_by is not None
            else reuse_for(
                keeping,
                keeper,
                flow=flow,
                tasks=tasks,
                run=run,
                ledger=ledger,
                info=info,
                log=log,
                history=histories,
                resumes=resumes,
            )
        )
        engine = Engine(
            run=run,
            flow=flow,
            tasks=tasks,
            facts=facts,
            log=log,
            executor=place,
            clock=clock,
            ledger=ledger,
            timeout_s=flow.timeout,
            ask=_ask_at_terminal(),
            raise_errors=bool(context_here.get("raise_on_exception")),
            task_contexts=keys_of_tasks,
            observers=told_to,
            reuse=reuse,
        )
        for one in observers:
            if isinstance(one, Attending):
                one.attend(run_id, ledger)
        with caught(run_id, engine.hear):
            engine.run_to_end(_first_event(info, plan))
    except BaseException:
        if os.getpid() != pid:
            raise  # a child that a task has forked off: the log is its parent's
        log.close(PATIENCE_S)  # the engine has done so, unless Ctrl-C came just before or after it
        raise
    if engine.error_to_raise is not None:
        raise engine.error_to_raise
    assert engine.final_state is not None
    final = engine.final_state
    final.result = TaskStates(flow, tasks, ledger)
    final.context = {"flow_run_id": run_id, "flow_run_name": name}
    return final


def _ledger_with(run: Run, known: Mapping[int, api.State]) -> Ledger:
    """The ledger of a run, with the values and messages of the states that were given."""
    ledger = Ledger(run)
    for number, state in known.items():
        ledger.values[number] = state.result
        if state.message:
            ledger.messages[number] = state.message
    return ledger


def _begun(flow: Flow, state: api.State | None) -> api.State:
    """The state after the flow's handlers have heard that it begins."""
    if state is not None and state.is_finished():
        return state
    running = api.Running(message="Running flow.")
    return handled(flow, state or api.Pending(), running) if flow.state_handlers else running


def _presets(
    flow: Flow, tasks: list[Task], task_states: Mapping[Task, api.State]
) -> tuple[dict[int, S], frozenset[int], dict[int, api.State]]:
    """Tasks that do not run, tasks that were told to go on, and the given states, by number."""
    presets: dict[int, S] = {}
    resumed: set[int] = set()
    known: dict[int, api.State] = {}
    number_of = {task: number for number, task in enumerate(tasks)} if task_states else {}
    for task, state in task_states.items():
        number = number_of.get(flow._member(task))
        if number is None:
            raise FlowError(f"task_states names task {task.name!r}, which is not in flow {flow.name!r}.")
        if isinstance(state, api.Resume):
            resumed.add(number)
        elif state.is_finished() and not state.is_looped() and not _has_more_to_do(state):
            presets[number] = api.event_state_of(state)
            known[number] = state
    return presets, frozenset(resumed), known


def _has_more_to_do(state: api.State) -> bool:
    """Whether a child of a mapped task gave no value: the task runs again, for it stands or falls as a whole."""
    children: Sequence[Any] = state.map_states if isinstance(state, api.Mapped) else ()
    return any(child is None or not child.is_successful() or child.is_skipped() for child in children)


def _executor(chosen: Executor | str | None) -> Executor:
    if chosen is None or isinstance(chosen, str):
        from notebook_flows.executors import from_name

        return from_name(chosen or "local")
    if isinstance(chosen, type):
        raise FlowError(f"Give an executor, not its class: {chosen.__name__}().")
    if hasattr(chosen, "for_run"):
        own: Executor = chosen.for_run()  # the object may be in use by another run, or by the one around this one
        return own
    if not all(hasattr(chosen, name) for name in ("name", "workers", "start", "submit", "stop")):
        raise RunOptionError(f"`executor` has to be an executor or its name, such as 'threads:4', not {shown(chosen)}.")
    return chosen


def _place_of(parent: Any) -> dict[str, Any]:
    """Of a run that began inside a task: which of the parent run's tasks that is."""
    if parent is None:
        return {}
    call = parent.call
    return {"parent_task": {"node": call.task_key, "index": call.index, "attempt": call.attempt}}


def _first_event(info: RunInfo, plan: Plan) -> dict[str, Any]:
    first: dict[str, Any] = {
        "flow": info.flow_name,
        "name": info.run_name,
        "graph": info.graph,
        "parameters": info.parameters,
    }
    if plan.presets:
        first["presets"] = {str(number): int(state) for number, state in plan.presets.items()}
    return first


def _ask_at_terminal() -> Callable[[str], bool] | None:
    """Asks whether a paused task may go on; None where nobody sits at a terminal."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None

    def ask(task_name: str) -> bool:
        return input(f"Task {task_name!r} is paused. Go on? [y/N] ").strip().lower() in {"y", "yes"}

    return ask
