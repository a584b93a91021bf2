"""The parameters of a run: which are given, which are missing, and how they are told to the history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.wording import NoText, text_of
from notebook_flows.errors import ParameterError, did_you_mean

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.engine.ports import Observer

LONGEST_TOLD = 1_000


class RunOptionError(ParameterError, TypeError):
    """`flow.run()` was given a keyword that is neither a parameter nor an option, or an option of the wrong kind."""


OPTIONS = (
    "executor",
    "state",
    "task_states",
    "context",
    "task_contexts",
    "flow_run_id",
    "flow_run_name",
    "history",
    "scheduled_start_time",
    "keep_results",
    "resume",
)


def told_apart(
    flow: Flow, parameters: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's parameters, and the options of `flow.run()`.

    Raises:
        ParameterError: a parameter is unknown or given twice, or an option of the wrong kind.
    """
    known = {parameter.name: parameter for parameter in flow.parameters()}
    _must_be("parameters", parameters, Mapping, "a mapping of names to values")
    given = dict(parameters or {})
    options: dict[str, Any] = {}
    for name, value in keywords.items():
        if name in known:
            if name in given:
                raise ParameterError(f"Parameter {name!r} of flow {flow.name!r} is given twice.")
            given[name] = value
        elif name in OPTIONS:
            options[name] = value
        elif name == "return_tasks":
            raise ParameterError("The `return_tasks` keyword cannot be given: the state has the states of all tasks.")
        else:
            raise RunOptionError(
                f"flow.run() of {flow.name!r} got an unexpected keyword argument {name!r}."
                f"{did_you_mean(name, [*known, *OPTIONS])} Its parameters: {_listed(known)}."
            )
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ParameterError(
            f"Flow {flow.name!r} received the following unexpected parameters: {', '.join(map(str, unknown))}."
            f"{did_you_mean(str(unknown[0]), known)} Its parameters: {_listed(known)}."
        )
    _check_options(options)
    return given, options


def completed(flow: Flow, given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parameters of one run.

    Args:
        flow: the flow.
        given: what the caller has given, all of it known.
        defaults: what the clock of its schedule gives, where the caller does not.
    Raises:
        ParameterError: a required parameter is missing, or the clock names one that the flow does not have.
    """
    known = {parameter.name: parameter for parameter in flow.parameters()}
    unknown = [name for name in defaults or {} if name not in known]
    if unknown:
        raise ParameterError(
            f"A clock in the schedule of flow {flow.name!r} has parameter_defaults for what is no parameter of it: "
            f"{', '.join(map(str, unknown))}.{did_you_mean(str(unknown[0]), known)} Its parameters: {_listed(known)}."
        )
    all_given = {**(defaults or {}), **given}
    missing = [name for name, parameter in known.items() if parameter.required and name not in all_given]
    if missing:
        raise ParameterError(
            f"Flow {flow.name!r} did not receive the following required parameters: {', '.join(missing)}. "
            f"Give them: flow.run({', '.join(f'{name}=...' for name in missing)})."
        )
    return all_given


def _check_options(options: Mapping[str, Any]) -> None:
    from datetime import datetime

    from notebook_flows.core.state import State
    from notebook_flows.core.task import Task

    get = options.get
    history = get("history")
    if history is not None and not isinstance(history, bool):
        raise RunOptionError(
            f"flow.run(): `history` is {shown(history)}; it can be True, False (the run leaves no trace), or None: "
            "then NOTEBOOK_FLOWS_HISTORY decides."
        )
    keeps = get("keep_results")
    if keeps is not None and not isinstance(keeps, bool):
        raise RunOptionError(
            f"flow.run(): `keep_results` is {shown(keeps)}; it can be True, False, or None: then "
            "NOTEBOOK_FLOWS_KEEP_RESULTS decides."
        )
    _must_be("resume", get("resume"), str, "the id of a run, or 'latest'")
    _must_be("state", get("state"), State, "a state")
    _must_be("context", get("context"), Mapping, "a mapping of names to values")
    _must_be("task_contexts", get("task_contexts"), Mapping, "a mapping of tasks to mappings")
    _must_be("task_states", get("task_states"), Mapping, "a mapping of tasks to states")
    _must_be("scheduled_start_time", get("scheduled_start_time"), datetime, "a datetime")
    _must_be("flow_run_name", get("flow_run_name"), str, "a text")
    for option, kind, what in (("task_states", State, "a state"), ("task_contexts", Mapping, "a mapping")):
        for task, value in (get(option) or {}).items():
            _must_be(option, task, Task, "a task wherever it names one", may_be_none=False)
            _must_be(option, value, kind, f"{what} for each task", may_be_none=False)


def _must_be(option: str, value: Any, kind: type, what: str, *, may_be_none: bool = True) -> None:
    if not isinstance(value, kind) and not (value is None and may_be_none):
        raise RunOptionError(f"flow.run(): `{option}` has to be {what}, not {shown(value)}.")


def checked_observers(observers: Any) -> tuple[Observer, ...]:
    """Those who are told of a run's events.

    Raises:
        RunOptionError: it is no list of what can be called.
    """
    _must_be("observers", observers, Iterable, "a list of functions that are told of events")
    told_to = tuple(observers or ())
    for one in told_to:
        if not callable(one):
            raise RunOptionError(f"flow.run(): `observers` has to be a list of functions; {shown(one)} is none.")
    return told_to


def shown(value: Any) -> str:
    """What was given, short enough for a sentence, and its type."""
    try:
        text = text_of(lambda: repr(value))
    except NoText:  # a repr of the user's own may fail
        return f"a {type(value).__name__}"
    return f"{text[:80]} (a {type(value).__name__})"


def _listed(known: Mapping[str, Any]) -> str:
    return ", ".join(known) or "none"


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a history keeps them: JSON values as they are, a secret's mask, the repr of everything else."""
    return {name: _told_value(value) for name, value in values.items()}


def _told_value(value: Any) -> Any:
    from notebook_flows.core.secret import Secret

    if isinstance(value, Secret):
        return {"secret": True}
    try:
        if len(json.dumps(value, allow_nan=False)) <= LONGEST_TOLD:
            return value
    except (TypeError, ValueError, RecursionError):
        pass  # no JSON: its repr says what it was
    try:
        text = text_of(lambda: repr(value))
    except NoText as problem:  # a repr of the user's own may fail; the run must not
        text = f"<{type(value).__name__}, whose repr fails: {type(problem.cause).__name__}>"
    return {"repr": text[:LONGEST_TOLD], "type": type(value).__name__}
