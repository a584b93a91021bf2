"""Puts the whole together: settings, history, executor and engine. What the faces use of it is named here."""

from __future__ import annotations

from notebook_flows.workspace.diagnosis import diagnose
from notebook_flows.workspace.environment import environment, git_commit
from notebook_flows.workspace.flow_runs import run_flow
from notebook_flows.workspace.histories import event_log, stored_log, surroundings
from notebook_flows.workspace.one_run import run_once
from notebook_flows.workspace.pictures import draw_flow

__all__ = [
    "diagnose",
    "draw_flow",
    "environment",
    "event_log",
    "git_commit",
    "run_flow",
    "run_once",
    "stored_log",
    "surroundings",
]
