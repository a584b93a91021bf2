"""Measure notebook_flows and its peers in turn, and write the table: ``python benchmarks/run.py``.

It makes a virtual environment for each peer below ``benchmarks/.envs``, keeps raw results in ``benchmarks/results`` and
writes ``docs/benchmarks.md``. A part of the whole (``--only``, ``--peers``, ``--quick``) is shown and not written,
unless ``--write`` is given.
"""

import argparse
import json
import os
import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import envs
from harness import Harness, Peer, make_scratch
from report import Circumstances, page
from results import Results
from workloads import BY_NAME, QUICK_SIZES, SLOW_PEERS, WORKLOADS, Row, Workload

PAGE = envs.CHECKOUT / "docs" / "benchmarks.md"
RESULTS = envs.HERE / "results"
LARGE, ROUNDS_OF_LARGE = 100_000, 3
_NAMES = {"round", "workload", "peer", "n"}


def main() -> None:
    asked = _asked()
    peers, environments = _peers(asked)
    load = f"{os.getloadavg()[0]:.1f}"
    make_scratch()
    harness = Harness(peers=peers, environments=environments, bound_s=asked.bound)
    began = datetime.now(UTC)
    rows = _measure(harness, asked, RESULTS / f"{began:%Y%m%dT%H%M%SZ}.jsonl")
    circumstances = Circumstances(
        date=f"{began:%Y-%m-%d}",
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        load=load,
        versions={name: number for used in environments.values() for name, number in used.versions.items()},
        bound_s=asked.bound,
    )
    text = page(Results(rows), peers, circumstances)
    is_whole = not (asked.only or asked.peers or asked.quick)
    print(text)
    if asked.write or is_whole:
        PAGE.write_text(text)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure notebook_flows and its peers in turn.")
    parser.add_argument("--only", nargs="+", choices=sorted(BY_NAME), metavar="NAME", help=", ".join(BY_NAME))
    parser.add_argument("--peers", nargs="+", default=[], metavar="PEER", help="names from peers.toml; references stay")
    parser.add_argument("--rounds", type=int, help="rounds, 5 unless told (2 with --quick)")
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, fewer rounds, without Prefect and dask.delayed"
    )
    parser.add_argument("--bound", type=float, default=180, help="seconds that one measurement may take")
    parser.add_argument("--write", action="store_true", help="write the page although only a part is measured")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (2 if asked.quick else 5)
    return asked


def _peers(asked: argparse.Namespace) -> tuple[dict[str, Peer], dict[str, envs.Environment]]:
    """The peers that take part, and their environments, made one after the other."""
    told = tomllib.loads((envs.HERE / "peers.toml").read_text())
    used = {name for workload in _workloads(asked) for name in workload.peers}
    if unknown := {*asked.peers} - told["peers"].keys():
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(told['peers'])}")
    if asked.peers:
        used &= {*asked.peers, *(workload.reference for workload in _workloads(asked))}
    elif asked.quick:
        used -= SLOW_PEERS
    peers = {name: Peer(name=name, **entry) for name, entry in told["peers"].items() if name in used}
    needed = dict.fromkeys(peer.environment for peer in peers.values() if peer.environment)
    return peers, {name: _environment(name, told["environments"][name]) for name in needed}


def _environment(name: str, settings: dict) -> envs.Environment:
    try:
        return envs.ready(name, settings)
    except subprocess.CalledProcessError:
        return envs.Environment(problem="its environment could not be made")


def _workloads(asked: argparse.Namespace) -> list[Workload]:
    return [workload for workload in WORKLOADS if not asked.only or workload.name in asked.only]


def _measure(harness: Harness, asked: argparse.Namespace, file: Path) -> list[Row]:
    rows = []
    with file.open("w") as out:
        for number in range(asked.rounds):
            wanted = [(workload, _sizes(workload, number, asked)) for workload in _workloads(asked)]
            for row in harness.round(number, wanted):
                rows.append(row)
                out.write(json.dumps(row) + "\n")
                out.flush()
                print(_progress(row), flush=True)
    return rows


def _sizes(workload: Workload, number: int, asked: argparse.Namespace) -> tuple[int, ...]:
    sizes = QUICK_SIZES.get(workload.name, workload.sizes) if asked.quick else workload.sizes
    is_enough = number >= min(workload.rounds_at_most, asked.rounds)
    return () if is_enough else tuple(n for n in sizes if n < LARGE or number < ROUNDS_OF_LARGE)


def _progress(row: Row) -> str:
    told = row.get("skipped") or ", ".join(f"{key} {row[key]:.4g}" for key in row if key not in _NAMES)
    return f"round {row['round'] + 1}  {row['workload']}  {row['peer']}  N = {row['n']:,}: {told}"


if __name__ == "__main__":
    main()
