"""What is measured: each workload with its sizes, its peers and the figure that the table shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
POWERS = (100, 1_000, 10_000, 100_000)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One table of the page.

    Args:
        kind: what the peers' files call it.
        reference: the peer that the others are compared with, in the same round.
        figure: the number shown, from a row of results.
        rounds_at_most: of workloads that hardly vary.
    """

    name: str
    kind: str
    title: str
    about: str
    unit: str
    figure: Callable[[Row], float]
    sizes: tuple[int, ...]
    peers: tuple[str, ...]
    reference: str = ""
    shape: str = "fan"
    digits: int = 1
    traced: bool = False
    rounds_at_most: int = 1_000


def _cpu_us_per_task(row: Row) -> float:
    return row["cpu_s"] / row["n"] * 1e6


def _added_bytes_per_task(row: Row) -> float:
    return row["added_kib"] * 1024 / row["n"]


def _transitions_per_s(row: Row) -> float:
    return row["transitions"] / row.get("run_wall_s", row["wall_s"])


def _overhead(shape: str, about: str) -> Workload:
    return Workload(
        name=shape,
        kind="overhead",
        shape=shape,
        title=f"No-op tasks, {shape}",
        about=f"{about} Building the flow is included, and so is our history. Two workers, where a peer has any.",
        unit="us CPU per task",
        figure=_cpu_us_per_task,
        sizes=POWERS,
        peers=("tpe", "ours", "ours-threads", "ours-no-history", "dask-raw", "dask-delayed", "doit", "prefect"),
        reference="tpe",
    )


def _cached(name: str, shape: str, title: str, about: str) -> Workload:
    return Workload(
        name=name,
        kind="cached",
        shape=shape,
        title=title,
        about=f"{about} Another process has run the same before, and nothing has changed. Building is not included; our "
        "history of this run is.",
        unit="us CPU per task",
        figure=_cpu_us_per_task,
        sizes=(1_000, 10_000),
        peers=("ours", "ours-threads", "doit", "joblib"),
    )


def _memory(name: str, title: str, about: str, *, traced: bool) -> Workload:
    return Workload(
        name=name,
        kind="memory",
        title=title,
        about=about,
        unit="bytes per task",
        figure=_added_bytes_per_task,
        sizes=(10_000, 100_000),
        peers=("tpe", "ours", "ours-threads", "dask-raw", "dask-delayed", "doit"),
        digits=0,
        traced=traced,
        rounds_at_most=3,
    )


def _started(name: str, title: str, about: str, peers: tuple[str, ...]) -> Workload:
    return Workload(
        name=name,
        kind=name,
        title=title,
        about=about,
        unit="s CPU",
        figure=lambda row: row["cpu_s"],
        sizes=(1,),
        peers=peers,
        digits=3,
    )


WORKLOADS = (
    _overhead("fan", "A root and N - 1 tasks after it."),
    _overhead("chain", "Each task after the one before; the pool waits for each before it submits the next."),
    _overhead("lattice", "Layers of sqrt(N), each task after two of the layer before; the pool waits for each layer."),
    _cached("cached", "apart", "Cached no-op tasks, apart", "N tasks with `cache=True` and a constant each."),
    _cached(
        "cached-chains",
        "chains",
        "Cached no-op tasks, chains of ten",
        "N / 10 chains of ten tasks with `cache=True`, each of which gets the result of the one before.",
    ),
    Workload(
        name="processes",
        kind="overhead",
        title="No-op tasks in processes, fan",
        about="Two worker processes, started within the measurement, one submission per task.",
        unit="us CPU per task",
        figure=_cpu_us_per_task,
        sizes=(1_000,),
        peers=("ppe", "ours-processes"),
        reference="ppe",
    ),
    Workload(
        name="sleep",
        kind="sleep",
        title="Sleeps of 10 ms on 64 workers",
        about="Wall time from building to the end; 0.16 s is the least that 1,000 sleeps on 64 workers can take.",
        unit="s wall",
        figure=lambda row: row["wall_s"],
        sizes=(100, 1_000),
        peers=("tpe", "ours-threads", "dask-raw", "dask-delayed", "doit", "prefect"),
        reference="tpe",
        digits=3,
    ),
    Workload(
        name="validate",
        kind="validate",
        shape="lattice",
        title="Checking a graph, lattice",
        about="`flow.validate()` of a flow that is built already; the libraries build their graph and sort it.",
        unit="ms CPU",
        figure=lambda row: row["cpu_s"] * 1e3,
        sizes=(100_000,),
        peers=("ours", "graphlib", "networkx"),
        reference="graphlib",
        digits=0,
    ),
    _memory(
        "memory",
        "Memory added by a run, fan",
        "The most resident memory during `run()` beyond that of the built flow. The pool has no flow to build.",
        traced=False,
    ),
    _memory(
        "objects",
        "Python objects added by a run, fan",
        "The same by tracemalloc, in processes of their own: exact for Python objects, blind to SQLite's memory.",
        traced=True,
    ),
    Workload(
        name="history",
        kind="history",
        title="Writing history",
        about="State transitions per second of wall time, each a row in a log and an update of its task's row, "
        "synchronous=FULL. Ours is a whole run, tasks and engine included; the others only write.",
        unit="transitions per s",
        figure=_transitions_per_s,
        sizes=(1_000, 10_000, 100_000),
        peers=("sqlite-batch", "sqlite-each", "ours"),
        reference="sqlite-batch",
        digits=0,
    ),
    _started(
        "import",
        "Import",
        "CPU of a fresh interpreter that imports, less that of one that does nothing; files already in the disk cache.",
        ("ours", "dask-delayed", "doit", "prefect"),
    ),
    _started(
        "first-flow",
        "Import and a first flow of ten tasks",
        "CPU of a fresh interpreter from its start to the end of a first fan of ten, less that of one which imports only "
        "our measuring code.",
        ("ours", "dask-raw", "dask-delayed", "doit"),
    ),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
QUICK_SIZES = {
    "fan": (1_000, 10_000, 100_000),
    "chain": (1_000, 10_000),
    "lattice": (1_000, 10_000),
    "cached": (10_000,),
    "cached-chains": (10_000,),
    "history": (1_000, 10_000),
    "objects": (10_000,),
}
SLOW_PEERS = {"prefect", "dask-delayed"}
