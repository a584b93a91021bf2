"""One peer runs notebooks, in a process of its own: ``peers.py PEER OUTPUT_FOLDER NOTEBOOK...``; prints what it took.

Imports are not counted; kernels are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

WARM_S = 5.0
"""How long a pool gets to warm up."""

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _nbclient() -> Callable[[Sequence[Path], Path], None]:
    import nbformat
    from nbclient import NotebookClient

    def run(notebooks: Sequence[Path], folder: Path) -> None:
        for path in notebooks:
            notebook = nbformat.read(path, 4)
            NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
            nbformat.write(notebook, folder / path.name)

    return run


def _nbclient_side_by_side() -> Callable[[Sequence[Path], Path], None]:
    import nbformat
    from nbclient import NotebookClient

    async def one(path: Path, folder: Path) -> None:
        notebook = nbformat.read(path, 4)
        await NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).async_execute()
        nbformat.write(notebook, folder / path.name)

    def run(notebooks: Sequence[Path], folder: Path) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(*(one(path, folder) for path in notebooks))

        asyncio.run(all_of_them())

    return run


def _papermill() -> Callable[[Sequence[Path], Path], None]:
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)

    def run(notebooks: Sequence[Path], folder: Path) -> None:
        for path in notebooks:
            papermill.execute_notebook(str(path), str(folder / path.name), progress_bar=False)

    return run


def _papermill_with_us() -> Callable[[Sequence[Path], Path], None]:
    import papermill

    import notebook_flows.running  # noqa: F401 - so that it does not count

    def run(notebooks: Sequence[Path], folder: Path) -> None:
        for path in notebooks:
            papermill.execute_notebook(
                str(path), str(folder / path.name), progress_bar=False, engine_name="notebook_flows"
            )

    return run


def _ours(side_by_side: int, kernels: str = "") -> Callable[[Sequence[Path], Path], None]:
    """Args: kernels: ``pool`` or ``warm pool``; else each is started from nothing."""
    import notebook_flows.notebook.executor  # noqa: F401 - so that it does not count
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.running import run_notebook

    pool = KernelPool() if kernels else None
    if kernels == "warm pool":
        assert pool is not None
        pool.warm()
        time.sleep(WARM_S)

    def run(notebooks: Sequence[Path], folder: Path) -> None:
        def one(path: Path) -> None:
            done = run_notebook(path, output=folder / path.name, pool=pool)
            if not done.is_successful:
                raise SystemExit(done.error)

        with ThreadPoolExecutor(side_by_side) as threads:
            list(threads.map(one, notebooks))
        if pool is not None:
            pool.close()

    return run


PEERS: dict[str, Callable[[], Callable[[Sequence[Path], Path], None]]] = {
    "nbclient": _nbclient,
    "nbclient, 8 at once": _nbclient_side_by_side,
    "papermill": _papermill,
    "papermill --engine notebook_flows": _papermill_with_us,
    "notebook_flows": lambda: _ours(1),
    "notebook_flows, 8 at once": lambda: _ours(8),
    "notebook_flows, a pool": lambda: _ours(8, "pool"),
    "notebook_flows, a warm pool": lambda: _ours(8, "warm pool"),
}


def _cpu_s() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Run, and print one line of JSON."""
    name, folder, *notebooks = sys.argv[1:]
    run = PEERS[name]()
    cpu_s, begun = _cpu_s(), time.perf_counter()
    run([Path(one) for one in notebooks], Path(folder))
    wall_s = time.perf_counter() - begun
    print(json.dumps({"peer": name, "wall_s": wall_s, "cpu_s": _cpu_s() - cpu_s}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
