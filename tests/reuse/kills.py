"""Kills runs at random times and goes on with them: ``python tests/reuse/kills.py 200 [SEED]``.

Each task counts its runs in a file that the store knows nothing of. After each kill another process reads the history;
what it finds recorded must never be run again. The runs are forked from this process, which never opens the history.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from notebook_flows import Flow, task
from notebook_flows.core.lifecycle import IS_SUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_S = 0.012
EXECUTORS = ("local", "threads:3")
COUNTED_SHARE = 0.5
"""Of the kills, those that come when some tasks have run; the others come at any time, on a busy machine before the first task."""
MOST_TASKS = 12
LARGE = 80_000
"""Bytes of the large results, which are kept in files."""


def count(name: str) -> None:
    """Say that a task runs; on the disk before the task goes on."""
    descriptor = os.open(os.environ["KILLS_COUNTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name}\n".encode())
    os.close(descriptor)
    time.sleep(PAUSE_S)


@task
def start(name):
    count(name)
    return list(range(5))


@task
def large(name, x):
    count(name)
    return "x" * LARGE + str(sum(x))


@task
def child(name, x):
    count(f"{name}[{x}]")
    return x * x


@task
def odd(name, x):
    count(name)
    return {len(x), "kept as a pickle"}


@task
def total(name, parts, text, more):
    count(name)
    return sum(parts) + len(text) + len(more)


def flow() -> Flow:
    with Flow("killed") as made:
        totals = []
        for number in range(2):
            first = start(f"start{number}")
            children = child.map([f"child{number}"] * 5, first)
            totals.append(total(f"total{number}", children, large(f"large{number}", first), odd(f"odd{number}", first)))
        last = total("last", totals, large("large last", totals), odd("odd last", totals))
    made.set_reference_tasks([last])
    return made


EXPECTED = 2 * (30 + LARGE + 2 + 2) + LARGE + 6 + 2
NAMES = {
    **{f"start-{n + 1}": f"start{n}" for n in range(2)},
    **{f"large-{n + 1}": f"large{n}" for n in range(2)},
    **{f"odd-{n + 1}": f"odd{n}" for n in range(2)},
    **{f"total-{n + 1}": f"total{n}" for n in range(2)},
    "total-3": "last",
    "large-3": "large last",
    "odd-3": "odd last",
}


def forked(work: Callable[[], Any]) -> int:
    """Do this in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:  # told by the exit code; the parent waits for nothing else
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def run_it(executor: str, out: Path) -> None:
    from notebook_flows.workspace import event_log

    event_log().sweep()
    begun = bool(event_log().runs())
    state = flow().run(executor=executor, keep_results=True, **({"resume": "latest"} if begun else {}))
    last = next(task for task in state.result if task.name == "total" and state.result[task].result == EXPECTED)
    out.write_text(json.dumps([type(state).__name__, state.result[last].result]))


def look(out: Path) -> None:
    """Write down what the newest run has recorded as done."""
    from notebook_flows.workspace import event_log

    log = event_log()
    log.sweep()
    done = []
    for run in log.runs(limit=1):
        for row in log.task_runs(run.run_id):
            if IS_SUCCESSFUL[row.state] and row.result is not None:
                slug = row.slug
                name = (
                    f"child{int(slug.rsplit('-', 1)[1]) - 1}[{row.index}]"
                    if slug.startswith("child")
                    else NAMES.get(slug)
                )
                if name is not None:
                    done.append(name)
    out.write_text(json.dumps(sorted(done)))


def counts(path: Path) -> Counter[str]:
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def until_tasks_have_run(pid: int, counted: Path, wanted: int) -> None:
    """Wait until so many tasks have been counted, or the run has ended."""
    while counts(counted).total() < wanted and not has_ended(pid):
        time.sleep(PAUSE_S / 4)


def has_ended(pid: int) -> bool:
    """Whether the process has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def one_round(folder: Path, luck: random.Random, kills_left: int, span_s: float) -> tuple[int, float]:
    """A run that is killed and gone on with until it ends; how many kills, and how long a whole run took."""
    counted, out = folder / "counts", folder / "out"
    os.environ["KILLS_COUNTS"] = str(counted)
    os.environ["NOTEBOOK_FLOWS_STORE"] = str(folder / "store" / "history.sqlite")
    os.environ["NOTEBOOK_FLOWS_HISTORY"] = "on"
    kills = 0
    most = min(luck.randint(0, 8), kills_left)
    while True:
        is_killed = kills < most
        before = counts(counted)
        done = json.loads(out.read_text()) if out.exists() else []
        began_s = time.monotonic()
        executor = luck.choice(EXECUTORS)
        pid = forked(lambda executor=executor: run_it(executor, folder / "ended"))
        if is_killed:
            if luck.random() < COUNTED_SHARE:
                until_tasks_have_run(pid, counted, before.total() + luck.randint(1, MOST_TASKS))
                time.sleep(luck.uniform(0, PAUSE_S))
            else:
                time.sleep(luck.uniform(0, span_s))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        again = [name for name in done if counts(counted)[name] > before[name]]
        assert not again, f"recorded as done, and run again: {again}"
        if os.WIFSIGNALED(status):
            kills += 1
            assert os.waitpid(forked(lambda: look(out)), 0)[1] == 0
            continue
        assert status == 0, "a run that nobody has killed failed"
        assert json.loads((folder / "ended").read_text()) == ["Success", EXPECTED]
        return kills, time.monotonic() - began_s


def kill_so_often(wanted: int, seed: int) -> int:
    """Kill so often; how many rounds that took."""
    luck = random.Random(seed)
    kills = rounds = 0
    span_s = 0.4
    while kills < wanted:
        with TemporaryDirectory(prefix="kills-") as folder:
            more, _ = one_round(Path(folder), luck, wanted - kills, span_s)
        kills += more
        rounds += 1
    return rounds


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"{wanted} kills, seed {seed}", flush=True)
    print(f"All is well: {wanted} kills in {kill_so_often(wanted, seed)} rounds.")
