"""Runs the workloads in rounds: in each round the peers take turns, and each measurement is a process of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from envs import HERE, Environment
from workloads import Row, Workload

SCRATCH = HERE / "results" / "scratch"
FIRST_FLOW = """
from measure import Case
from peers.{module} import overhead
overhead(Case(kind="overhead", shape="fan", n=10, variant={variant!r}))()
"""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One library, or one way to use it."""

    name: str
    title: str
    module: str
    keeps: str
    variant: str = ""
    environment: str = ""
    statement: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    largest: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Harness:
    """Measures, and remembers what need not be tried again."""

    peers: dict[str, Peer]
    environments: dict[str, Environment]
    bound_s: float
    given_up: dict[tuple[str, str], int] = field(default_factory=dict)

    def round(self, number: int, workloads: list[tuple[Workload, tuple[int, ...]]]) -> Iterator[Row]:
        """Each workload and size once per peer; who begins changes from round to round."""
        for workload, sizes in workloads:
            names = [name for name in workload.peers if name in self.peers]
            for n in sizes:
                for turn in range(len(names)):
                    name = names[(turn + number) % len(names)]
                    row = self._measured(workload, n, self.peers[name])
                    yield {"round": number, "workload": workload.name, "peer": name, "n": n, **row}

    def _measured(self, workload: Workload, n: int, peer: Peer) -> Row:
        largest, why = peer.largest.get(workload.name, (n, ""))
        if n > largest:
            return {"skipped": why}
        if n >= self.given_up.get((workload.name, peer.name), n + 1):
            return {"skipped": "gave no result before"}
        row = self._run(workload, n, peer)
        if "skipped" in row:
            self.given_up[workload.name, peer.name] = n
        return row

    def _run(self, workload: Workload, n: int, peer: Peer) -> Row:
        environment = self.environments.get(peer.environment, Environment())
        if environment.problem:
            return {"skipped": environment.problem}
        folder = SCRATCH / uuid4().hex
        folder.mkdir(parents=True)
        process = subprocess.Popen(
            [environment.python, *_arguments(workload, n, peer)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ
            | {"PYTHONPATH": str(HERE), "NOTEBOOK_FLOWS_STORE": str(folder / "history.sqlite")}
            | environment.variables
            | peer.variables,
            start_new_session=True,
        )
        try:
            told, complaint = process.communicate(timeout=self.bound_s)
        except subprocess.TimeoutExpired:
            return {"skipped": f"no result within {self.bound_s:.0f} s"}
        finally:
            _end_session(process)
            shutil.rmtree(folder, ignore_errors=True)
        if process.returncode:
            return {"skipped": "failed: " + _last_line(complaint), "complaint": complaint[-5000:]}
        lines = [line for line in told.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"skipped": "printed no result"}


def _arguments(workload: Workload, n: int, peer: Peer) -> list[str]:
    if workload.kind == "import":
        return ["-m", "peers.start", peer.statement]
    if workload.kind == "first-flow":
        statement = FIRST_FLOW.format(module=peer.module, variant=peer.variant)
        return ["-m", "peers.start", statement, "--beyond", "import measure"]
    options = ["--shape", workload.shape, "--n", str(n), "--variant", peer.variant]
    return ["-m", f"peers.{peer.module}", workload.kind, *options, *["--traced"] * workload.traced]


def _end_session(process: subprocess.Popen) -> None:
    """End what the measurement has left behind, a peer's server for instance."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _last_line(complaint: str) -> str:
    """The error's sentence, without the paths of this machine."""
    lines = complaint.strip().splitlines() or ["without a word"]
    return re.sub(r"\S*/\S*/\S*", "...", lines[-1])[:120]


def make_scratch() -> None:
    """An empty folder for what the peers write; a relic of an ended run is removed."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    Path(SCRATCH).mkdir(parents=True)
