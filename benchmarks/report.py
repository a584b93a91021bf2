"""The page with the tables, as Markdown."""

from dataclasses import dataclass

from harness import Peer
from results import Results
from targets import MEASURED_ELSEWHERE, TARGETS, Target
from workloads import WORKLOADS, Workload

SMALL, LARGE = 1_000, 100_000
HEAD = """# Benchmarks

This page is written by `python benchmarks/run.py`; change the benchmarks, not the page.

Every measurement is a fresh process. In each round the peers take their turns one after the other, and a figure is the
median over the rounds. A ratio is taken within a round, and the median of those is shown. Imports and a first small
flow of ten tasks are done before the clock starts, except where the import or the first flow is what is measured. CPU
counts user and system time of the process and its children. Other work on the machine disturbs wall times more than
CPU times; do not make much of ratios near one. TPE is the standard library's `ThreadPoolExecutor`, which knows no
graph and keeps nothing.
"""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """When and where the results were made."""

    date: str
    cores: int
    python: str
    system: str
    load: str
    versions: dict[str, str]
    bound_s: float


def page(results: Results, peers: dict[str, Peer], circumstances: Circumstances) -> str:
    """The whole page; it names no path, host or user."""
    measured = [workload for workload in WORKLOADS if results.sizes(workload)]
    sections = [
        HEAD,
        _circumstances(circumstances),
        _targets(results),
        *(_workload(results, workload, peers) for workload in measured),
        _keeps(peers),
    ]
    return "\n".join(sections)


def _circumstances(at: Circumstances) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in sorted(at.versions.items()))
    return (
        f"- Date: {at.date}\n- Machine: {at.cores} cores, {at.system}; load average at the start {at.load}\n"
        f"- Python {at.python}; {versions}\n- Bound of one measurement: {at.bound_s:.0f} s\n"
    )


def _targets(results: Results) -> str:
    rows = [_target(target, target.measured(results)) for target in TARGETS]
    lines = ["## Our targets\n", *_table(["what", "target", "measured", "met"], rows, numbers=()), ""]
    lines += ["Measured by other commands:\n", *(f"- {what}" for what in MEASURED_ELSEWHERE)]
    return "\n".join(lines) + "\n"


def _target(target: Target, value: float | None) -> list[str]:
    limit = f"{'>=' if target.is_floor else '<='} {target.limit:,g} {target.unit}"
    if value is None:
        return [target.what, limit, "-", "not measured"]
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return [target.what, limit, f"{shown} {target.unit}", "met" if target.is_met(value) else "not met"]


def _workload(results: Results, workload: Workload, peers: dict[str, Peer]) -> str:
    notes: list[str] = []
    sizes = results.sizes(workload)
    rows = [
        [peers[name].title, *(_cell(results, workload, name, n, notes) for n in sizes)]
        for name in results.peers(workload)
    ]
    heads = ["", *(_head(results, workload, n) for n in sizes)]
    if workload.kind == "overhead" and {SMALL, LARGE} <= set(sizes):
        heads.append(f"growth, {LARGE:,} / {SMALL:,}")
        for name, row in zip(results.peers(workload), rows, strict=True):
            growth = results.ratio(workload, name, LARGE, to=name, to_n=SMALL)
            row.append(f"{growth:.2f} x" if growth else "-")
    lines = [f"## {workload.title}\n", f"{workload.about} In {workload.unit}{_compared(workload, peers)}.\n"]
    lines += _table(heads, rows, numbers=range(1, len(heads)))
    if notes:
        lines += ["", *(f"{i}. {note}" for i, note in enumerate(notes, 1))]
    return "\n".join(lines) + "\n"


def _head(results: Results, workload: Workload, n: int) -> str:
    count = results.rounds(workload, n)
    rounds = f"{count} rounds" if count > 1 else "1 round"
    return rounds if workload.sizes == (1,) else f"N = {n:,} ({rounds})"


def _compared(workload: Workload, peers: dict[str, Peer]) -> str:
    known = workload.reference in peers
    return f"; in brackets the ratio to {peers[workload.reference].title}" if known else ""


def _cell(results: Results, workload: Workload, name: str, n: int, notes: list[str]) -> str:
    value = results.median(workload, name, n)
    if value is None:
        why = results.why_skipped(workload, name, n)
        if why not in notes:
            notes.append(why)
        return f"- ({notes.index(why) + 1})"
    ratio = results.ratio(workload, name, n, to=workload.reference) if workload.reference else None
    return f"{value:,.{workload.digits}f}" + (f" ({ratio:.2f} x)" if ratio is not None else "")


def _keeps(peers: dict[str, Peer]) -> str:
    rows = [[peer.title, peer.keeps] for peer in peers.values()]
    return "\n".join(["## What each keeps per task\n", *_table(["", "keeps"], rows, numbers=())]) + "\n"


def _table(heads: list[str], rows: list[list[str]], *, numbers: range | tuple[()]) -> list[str]:
    rule = ["---:" if i in numbers else "---" for i in range(len(heads))]
    return ["| " + " | ".join(cells) + " |" for cells in [heads, rule, *rows]]
