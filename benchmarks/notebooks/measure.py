"""Notebooks of several sizes, run by us, by papermill and by nbclient in turn; prints a table of the targets.

``python benchmarks/notebooks/measure.py [--rounds 3] [--only 200-cells,...]``; our history is on, in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat

US = "notebook_flows"
CELLS = {"1-cell": 1, "20-cells": 20, "200-cells": 200, "400-cells": 400}
OUTPUT_CELLS = 50
OUTPUT_LINE = "x" * 95
OUTPUT_LINES = 14_000
"""67 MB of output: 50 cells of 1.34 MB."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something to run, by whom, and what it may cost.

    Attributes:
        notebooks: how many, each of ``cells`` cells.
        peers: in turn.
        target: (whom we are compared with, our share of its time at most), or None.
        rounds: at most; some cases take minutes.
    """

    name: str
    cells: int
    peers: tuple[str, ...]
    notebooks: int = 1
    source: str = "x = {number}\nx + 1"
    target: tuple[str, float] | None = None
    rounds: int = 5


CASES = (
    *(
        Case(
            name=name,
            cells=cells,
            peers=(US, "nbclient", "papermill", "papermill --engine notebook_flows"),
            target=("nbclient", 1.1),
            rounds=5 if cells < 400 else 1,
        )
        for name, cells in CELLS.items()
    ),
    Case(
        name="67-MB",
        cells=OUTPUT_CELLS,
        source=f"for i in range({OUTPUT_LINES}): print('{OUTPUT_LINE}')",
        peers=(US, "nbclient", "papermill"),
        target=("nbclient", 1.1),
        rounds=1,
    ),
    Case(
        name="8-notebooks",
        cells=20,
        notebooks=8,
        peers=("notebook_flows, a pool", "notebook_flows, 8 at once", "nbclient, 8 at once", "papermill"),
        target=("papermill", 0.2),
        rounds=3,
    ),
    Case(
        name="8-notebooks-warm",
        cells=20,
        notebooks=8,
        peers=("notebook_flows, a warm pool", "papermill"),
        target=("papermill", 0.1),
        rounds=3,
    ),
)


def written(case: Case, folder: Path) -> list[Path]:
    """The notebooks of a case."""
    paths = []
    for which in range(case.notebooks):
        cells = [nbformat.v4.new_code_cell(case.source.format(number=number)) for number in range(case.cells)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = folder / f"{case.name}-{which}.ipynb"
        nbformat.write(notebook, path)
        paths.append(path)
    return paths


def measured(peer: str, notebooks: list[Path], output: Path, store: Path) -> dict[str, float]:
    """One peer, once."""
    environment = {**os.environ, "NOTEBOOK_FLOWS_STORE": str(store), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("peers.py")), peer, str(output), *map(str, notebooks)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_case(case: Case, rounds: int, folder: Path) -> None:
    """Measure in turn, then print medians and the ratio."""
    notebooks = written(case, folder)
    output = folder / "out"
    output.mkdir(exist_ok=True)
    walls: dict[str, list[float]] = {peer: [] for peer in case.peers}
    cpus: dict[str, list[float]] = {peer: [] for peer in case.peers}
    for _ in range(min(rounds, case.rounds)):
        for peer in case.peers:
            found = measured(peer, notebooks, output, folder / "history.sqlite")
            walls[peer].append(found["wall_s"])
            cpus[peer].append(found["cpu_s"])
    for peer in case.peers:
        print(f"| {case.name} | {peer} | {statistics.median(walls[peer]):.2f} | {statistics.median(cpus[peer]):.2f} |")
    if case.target is not None:
        against, share = case.target
        us = case.peers[0]
        ratio = statistics.median(walls[us]) / statistics.median(walls[against])
        verdict = "holds" if ratio <= share else "MISSED"
        print(f"| {case.name} | *{ratio:.2f} of {against}; at most {share:.2f}: {verdict}* | | |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="names of cases, with commas")
    chosen = parser.parse_args()
    wanted = set(filter(None, chosen.only.split(",")))
    print("| case | who | wall s | CPU s |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="nbflows-bench-") as name:
        for case in CASES:
            if not wanted or case.name in wanted:
                run_case(case, chosen.rounds, Path(name))


if __name__ == "__main__":
    main()
