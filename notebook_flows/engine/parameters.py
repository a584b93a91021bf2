"""The parameters of a run: which are given, which are missing, and how they are told to the history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import ParameterError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow

LONGEST_TOLD = 1_000


class RunOptionError(ParameterError, TypeError):
    """`flow.run()` was given a keyword that is neither a parameter of the flow nor an option."""


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
)


def told_apart(
    flow: Flow, parameters: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's parameters, and the options of `flow.run()`.

    Raises:
        ParameterError: a parameter is unknown, given twice, or required and missing.
    """
    known = {parameter.name: parameter for parameter in flow.parameters()}
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
            f"Flow {flow.name!r} received the following unexpected parameters: {', '.join(unknown)}."
            f"{did_you_mean(unknown[0], known)} Its parameters: {_listed(known)}."
        )
    missing = [name for name, parameter in known.items() if parameter.required and name not in given]
    if missing:
        raise ParameterError(
            f"Flow {flow.name!r} did not receive the following required parameters: {', '.join(missing)}. "
            f"Give them: flow.run({', '.join(f'{name}=...' for name in missing)})."
        )
    return given, options


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
        text = repr(value)
    except Exception as error:  # a repr of the user's own may fail; the run must not
        text = f"<{type(value).__name__}, whose repr fails: {type(error).__name__}>"
    return {"repr": text[:LONGEST_TOLD], "type": type(value).__name__}
