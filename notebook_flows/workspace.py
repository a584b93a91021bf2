"""Puts the whole together: settings, history, executor and engine, for one run of a flow."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import uuid
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows._version import __version__
from notebook_flows.core import state as api
from notebook_flows.core.collecting import no_collection
from notebook_flows.core.context import context, current_attempt
from notebook_flows.core.plan import checked_run_id, graph_as_json, planned
from notebook_flows.core.run import Run
from notebook_flows.core.validation import compiled
from notebook_flows.engine.attempt import handled
from notebook_flows.engine.call import RunFacts
from notebook_flows.engine.clock import SystemClock
from notebook_flows.engine.logs import caught
from notebook_flows.engine.loop import PATIENCE_S, Engine
from notebook_flows.engine.parameters import RunOptionError, checked_observers, completed, shown, told, told_apart
from notebook_flows.engine.ports import RunInfo
from notebook_flows.engine.results import Ledger, TaskStates
from notebook_flows.errors import FlowError, StoreError
from notebook_flows.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.plan import Plan
    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import EventLog, Executor, Observer, WaitingClock
    from notebook_flows.store.memory import MemoryEventLog
    from notebook_flows.store.sqlite import SqliteEventLog
    from notebook_flows.views.picture import Picture

DAY_S = 86_400
LONGEST_NAP_S = 30.0
"""How long a scheduled run sleeps at most before it looks at the clock again, which may have been set."""


@cache
def _sqlite_log(path: Path) -> SqliteEventLog:
    from notebook_flows.store.sqlite import SqliteEventLog

    return SqliteEventLog(path)


@cache
def _memory_log() -> MemoryEventLog:
    from notebook_flows.store.memory import MemoryEventLog

    return MemoryEventLog()


def event_log() -> SqliteEventLog | MemoryEventLog:
    """The history that the settings name."""
    settings = settings_from()
    return _memory_log() if settings.history == "memory" else _sqlite_log(settings.store)


class _Surroundings(NamedTuple):
    log: EventLog
    results: Any


_surroundings: ContextVar[_Surroundings | None] = ContextVar("notebook_flows.surroundings", default=None)


@contextmanager
def surroundings(log: EventLog, results: Any) -> Iterator[None]:
    """Inside, runs, and runs inside their tasks, keep their history and files here, whatever the settings say.

    Args:
        log: the history.
        results: for tasks with a ``target``; see `store.results`.
    """
    token = _surroundings.set(_Surroundings(log, results))
    try:
        yield
    finally:
        _surroundings.reset(token)


def _log_for(history: bool | None) -> EventLog:
    given = _surroundings.get()
    if given is not None and history is not False:
        return given.log
    choice = settings_from().history
    if history is False or (history is None and choice == "off"):
        from notebook_flows.engine.nolog import NoEventLog

        return NoEventLog()
    return event_log()


def _forget_old_runs(histories: EventLog, clock: WaitingClock) -> None:
    """Once a day: let the history forget what is older than the settings want."""
    keep_days = settings_from().keep_days
    path = getattr(histories, "path", None)
    if path is None or keep_days <= 0 or not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for some paths
        return
    marker = path.with_name(f"{path.name}.pruned")
    if marker.exists() and clock.now_us() / 1e6 - marker.stat().st_mtime < DAY_S:
        return
    try:
        marker.touch(mode=0o600)
        histories.prune(keep_days=keep_days)  # type: ignore[attr-defined] # those with a path have it
    except (OSError, StoreError):
        logging.getLogger(__name__).warning("Old runs could not be forgotten; the next try is tomorrow.", exc_info=True)


def run_flow(
    flow: Flow,
    *,
    parameters: Mapping[str, Any] | None = None,
    run_on_schedule: bool | None = None,
    runner_cls: Any = None,
    clock: WaitingClock | None = None,
    observers: Sequence[Observer] = (),
    **keywords: Any,
) -> api.State:
    """Run a flow once, or at each time of its schedule; see `Flow.run`."""
    if runner_cls is not None:
        raise FlowError("`runner_cls` is Prefect 1's; notebook_flows has one engine. Leave it out, or give `executor`.")
    now = clock or SystemClock()
    if not hasattr(now, "now_us"):
        raise RunOptionError(f"flow.run(): `clock` has to be a clock, such as SystemClock(), not {shown(clock)}.")
    given, options = told_apart(flow, parameters, keywords)
    options["observers"] = checked_observers(observers)
    if flow.schedule is None or run_on_schedule is False:
        return _run_once(flow, completed(flow, given), now, **options)
    return _run_on_schedule(flow, given, now, **options)


def _run_on_schedule(flow: Flow, given: dict[str, Any], clock: WaitingClock, **options: Any) -> api.State:
    """Wait for each time of the schedule, and run then, until there is none left."""
    assert flow.schedule is not None
    after = datetime.fromtimestamp(clock.now_us() / 1e6, UTC)
    state: api.State | None = None
    while True:
        events: Any = flow.schedule.next(1, after=after, **_with_events(flow.schedule))
        if not events:
            if state is None:
                raise FlowError(f"Flow {flow.name!r} has no more scheduled runs.")
            return state
        event = events[0]
        due = getattr(event, "start_time", event)
        parameters = completed(flow, given, getattr(event, "parameter_defaults", None))
        while (left_s := due.timestamp() - clock.now_us() / 1e6) > 0:
            clock.sleep_s(min(left_s, LONGEST_NAP_S))
        state = _run_once(flow, parameters, clock, scheduled_start_time=due, **options)
        after = due


def _with_events(schedule: Any) -> dict[str, bool]:
    return {"return_events": True} if hasattr(schedule, "clocks") else {}


def _run_once(
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
) -> api.State:
    graph = compiled(flow)
    begun = _begun(flow, state)
    tasks = list(flow._into)
    presets, resumed, known = _presets(flow, tasks, task_states or {})
    if context and context.get("resume"):
        resumed = frozenset(range(len(tasks)))
    slugs = list(flow.slugs.values())
    with no_collection():
        plan = planned(flow, graph, tasks, presets=presets, resumed=resumed)
        run = Run(plan)
        known_graph = graph_as_json(graph, plan.names, slugs, plan)
    ledger = Ledger(run)
    for number, one in known.items():
        ledger.values[number] = one.result
        if one.message:
            ledger.messages[number] = one.message
    if begun.is_finished():
        return begun
    run_id = checked_run_id(flow_run_id) if flow_run_id is not None else uuid.uuid4().hex
    name = flow_run_name or f"{flow.name}-{run_id[:6]}"
    place = _executor(executor if executor is not None else flow.executor)
    facts = RunFacts(
        run_id=run_id,
        flow_name=flow.name,
        context=_run_context(flow, given, run_id, name, clock, scheduled_start_time, context or {}),
        keeps_results=flow.result is not None,
        results=flow.result if flow.result is not None else _default_results(),
    )
    parent = current_attempt()
    info = RunInfo(
        run_id=run_id,
        flow_name=flow.name,
        run_name=name,
        slugs=slugs,
        executor=place.name,
        parent_run_id=parent.run_id if parent is not None else None,
        scheduled_us=round(scheduled_start_time.timestamp() * 1e6) if scheduled_start_time else None,
        parameters=told(facts.context["parameters"]),
        graph=known_graph,
        environment=environment(),
    )
    keys_of_tasks = {flow._member(task): dict(keys) for task, keys in (task_contexts or {}).items()}
    pid = os.getpid()
    histories = _log_for(history)
    _forget_old_runs(histories, clock)
    log = histories.begin(info)
    try:
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
            raise_errors=bool(_outer("raise_on_exception")),
            task_contexts=keys_of_tasks,
            observers=observers,
        )
        with caught(run_id, log.add_log_lines):
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


def _outer(key: str) -> Any:
    return context.get(key)


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


def _run_context(
    flow: Flow,
    given: Mapping[str, Any],
    run_id: str,
    name: str,
    clock: WaitingClock,
    scheduled: datetime | None,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    parameters = {p.name: p.default for p in flow.parameters() if not p.required}
    parameters.update(given)
    moment = scheduled or datetime.fromtimestamp(clock.now_us() / 1e6, UTC)
    day = timedelta(days=1)
    days = {
        "today": f"{moment:%Y-%m-%d}",
        "yesterday": f"{moment - day:%Y-%m-%d}",
        "tomorrow": f"{moment + day:%Y-%m-%d}",
    }
    return {
        "flow_name": flow.name,
        "flow_run_id": run_id,
        "run_id": run_id,
        "flow_run_name": name,
        "run_name": name,
        "parameters": parameters,
        "scheduled_start_time": moment,
        "date": moment,
        **days,
        **{f"{key}_nodash": value.replace("-", "") for key, value in days.items()},
        **more,
    }


def _default_results() -> Any:
    given = _surroundings.get()
    if given is not None:
        return given.results
    from notebook_flows.store.results import LocalResult

    return LocalResult(settings_from().results)


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


def environment() -> dict[str, Any]:
    """What is recorded of the machine with each run."""
    try:
        commit = git_commit(Path.cwd())
    except OSError:  # the working directory is gone
        commit = None
    return {**_versions(), "git_commit": commit}


@cache
def _versions() -> Mapping[str, Any]:
    return {
        "notebook_flows": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out around a folder, or None; read from git's files, for asking git takes longer."""
    for root in (folder, *folder.parents):
        git = root / ".git"
        try:
            if git.is_file():
                git = root / git.read_text().removeprefix("gitdir: ").strip()
            head = (git / "HEAD").read_text().strip()
            if not head.startswith("ref: "):
                return head
            name = head.removeprefix("ref: ")
            common = git / "commondir"
            base = git / common.read_text().strip() if common.is_file() else git
            loose = base / name
            if loose.is_file():
                return loose.read_text().strip()
            packed = (base / "packed-refs").read_text().splitlines()
            return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
        except (OSError, UnicodeDecodeError):
            continue
    return None


def draw_flow(
    flow: Flow,
    *,
    flow_state: api.State | None = None,
    filename: str | None = None,
    format: str | None = None,  # noqa: A002 - as in Prefect 1
    horizontal: bool = False,
) -> Picture:
    """A flow's picture, written to a file if one is named; see `Flow.visualize`.

    A picture that Graphviz cannot draw is no reason to stop: a warning says so, and the DOT source is written instead.
    """
    from notebook_flows.views.layout import PictureError
    from notebook_flows.views.picture import picture_of

    picture = picture_of(flow, flow_state=flow_state, format=format, horizontal=horizontal)
    if filename is not None:
        try:
            picture.save(filename)
        except PictureError as error:
            instead = picture.save(filename, "dot")
            warnings.warn(f"{error} Its DOT source is in {instead} instead.", stacklevel=4)
    return picture


def diagnose(flow: Flow, include_secret_names: bool = False) -> str:
    """What to send along with a bug report; see `Flow.diagnostics`."""
    settings = settings_from()
    tasks = list(flow._into)
    known: dict[str, Any] = {
        "flow_information": {
            "name_length": len(flow.name),
            "task_count": len(tasks),
            "edge_count": len(flow.edges),
            "task_types": sorted({type(task).__name__ for task in tasks}),
            "parameter_count": len(flow.parameters()),
            "mapped_count": sum(task.is_mapped for task in tasks),
            "executor": type(flow.executor).__name__ if flow.executor is not None else "LocalExecutor",
            "schedule": type(flow.schedule).__name__ if flow.schedule is not None else None,
        },
        "system_information": environment(),
        "settings": {"history": settings.history, "keep_days": settings.keep_days},
    }
    if include_secret_names:
        from notebook_flows.core.secret import Secret

        known["secret_parameters"] = sorted(p.name for p in flow.parameters() if isinstance(p.default, Secret))
    return json.dumps(known, indent=2, sort_keys=True)
