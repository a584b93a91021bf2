"""Runs a notebook: reads it, gives it its parameters, and lets the engine run its cells in a kernel."""

from notebook_flows.running.document import run_document
from notebook_flows.running.file import run_notebook
from notebook_flows.running.places import here, output_path_for
from notebook_flows.running.results import CellRun, NotebookRun

__all__ = ["CellRun", "NotebookRun", "here", "output_path_for", "run_document", "run_notebook"]
