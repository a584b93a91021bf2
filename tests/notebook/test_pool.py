"""Kernels for many runs: each is fresh, behaves as any other, and ends with its pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.forking import CAN_FORK, ForkError, Zygote, _launcher_in
from notebook_flows.notebook.pool import KernelPool
from notebook_flows.running import NotebookRun, run_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")

PARENT = "import psutil; ' '.join(psutil.Process().parent().cmdline())"
FACTS = """
import gc, os, signal, sys, threading, __main__
facts = dict(
    path=sys.path, flags=str(sys.flags), argv=sys.argv[:1], options=dict(sys._xoptions), cwd=os.getcwd(),
    main=(__main__.__name__, __main__ is sys.modules["__main__"], hasattr(__main__, "__file__"), hasattr(__main__, "__spec__")),
    shell=type(get_ipython()).__name__, threads=sorted(one.name.split("-")[0] for one in threading.enumerate()),
    environment=sorted(set(os.environ) - {"JPY_PARENT_PID"}), signals=str([signal.getsignal(n) for n in (2, 15, 17)]),
    mine=os.getsid(0) == os.getpid(), streams=[type(one).__name__ for one in (sys.stdin, sys.stdout, sys.stderr)],
    raw=[(one.encoding, one.line_buffering, one.isatty()) for one in (sys.__stdin__, sys.__stdout__, sys.__stderr__)],
    switch=sys.getswitchinterval(), thresholds=gc.get_threshold(), recursion=sys.getrecursionlimit(),
    ours=[name for name in sys.modules if name.startswith("notebook_flows")], matplotlib=os.environ.get("MPLBACKEND"),
)
for name in sorted(facts): print(name, facts[name])
"""


@pytest.fixture
def pool() -> Iterator[KernelPool]:
    with KernelPool() as made:
        yield made


def shown(done: NotebookRun) -> list[str]:
    assert done.output_path is not None
    found = []
    for cell in nbformat.read(done.output_path, 4).cells:
        if cell.cell_type == "code":
            texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
            found.append("".join(texts))
    return found


def test_a_kernel_of_a_pool_is_forked_and_like_any_other(write: Any, pool: KernelPool) -> None:
    path = write(FACTS, PARENT)

    plain, pooled = run_notebook(path, output="plain.ipynb"), run_notebook(path, pool=pool)

    assert pooled.is_successful, pooled.error
    assert shown(pooled)[0].splitlines() == shown(plain)[0].splitlines()
    assert "zygote.py" in shown(pooled)[1]
    assert "zygote.py" not in shown(plain)[1]


def test_no_run_sees_what_another_has_left(write: Any, pool: KernelPool) -> None:
    leaves = "import builtins, os, random, sys\nbuiltins.left = 1\nos.environ['LEFT'] = '1'\nsys.path.append('left')\n"
    first = write(leaves + "print(os.getpid(), random.random())", name="first.ipynb")
    second = write(
        "import os, random, sys\nprint(os.getpid(), random.random())\n'left' in dir(__builtins__), 'LEFT' in os.environ, 'left' in sys.path"
    )

    runs = [run_notebook(path, pool=pool) for path in (first, second)]

    (pid, luck), (other_pid, other_luck) = (shown(done)[0].split("\n")[0].split() for done in runs)
    assert pid != other_pid
    assert luck != other_luck
    assert shown(runs[1])[0].endswith("(False, False, False)")


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os; os._exit(7)", "its process ended with exit code 7."),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9 (SIGKILL)"),
    ],
)
def test_its_death_is_told_as_it_was(write: Any, pool: KernelPool, source: str, how: str) -> None:
    done = run_notebook(write("1", source), pool=pool)

    assert done.state is S.CRASHED
    assert how in str(done.error)


def test_it_is_interrupted_and_killed_as_any_other(write: Any, pool: KernelPool) -> None:
    deaf = "import time\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"

    interrupted = run_notebook(write("import time\ntime.sleep(60)"), cell_timeout_s=1, pool=pool)
    killed = run_notebook(write(deaf), cell_timeout_s=1, pool=pool)

    assert "was interrupted" in str(interrupted.error)
    assert "so its kernel was killed" in str(killed.error)


def test_what_its_code_does_at_exit_is_done(write: Any, tmp_path: Path, pool: KernelPool) -> None:
    at_exit = f"import atexit, pathlib\natexit.register(pathlib.Path({str(tmp_path / 'done')!r}).touch)\n"
    thread = f"import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.3), pathlib.Path({str(tmp_path / 'thread')!r}).touch())).start()"

    done = run_notebook(write(at_exit + thread), pool=pool)

    assert done.is_successful
    assert (tmp_path / "done").exists()
    assert (tmp_path / "thread").exists()


def test_each_runs_in_its_own_folder_with_the_environment_of_the_moment(
    write: Any, tmp_path: Path, pool: KernelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("import os; print(os.getcwd(), os.environ.get('NBFLOWS_LATE'), os.environ.get('PYTHONUNBUFFERED'))")
    (tmp_path / "there").mkdir()
    run_notebook(path, pool=pool)
    monkeypatch.setenv("NBFLOWS_LATE", "late")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")

    done = run_notebook(path, cwd=tmp_path / "there", pool=pool)

    assert shown(done) == [f"{tmp_path / 'there'} late 1\n"]


def test_when_nothing_can_be_forked_the_kernel_is_started(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise ForkError("gone")

    monkeypatch.setattr(Zygote, "fork", gone)
    with KernelPool() as pool:
        done = run_notebook(write(PARENT), pool=pool)

    assert done.is_successful
    assert "zygote.py" not in shown(done)[0]


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["python", "-m", "ipykernel_launcher", "-f", "x"], 1),
        (["python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "x"], 2),
        (["python", "-m", "bash_kernel", "-f", "x"], None),
        (["env", "A=1", "python", "-m", "ipykernel_launcher"], None),
        (["R", "--slave"], None),
    ],
)
def test_only_commands_that_start_ipykernel_are_understood(command: list[str], place: int | None) -> None:
    assert _launcher_in(command) == place


def test_closing_a_pool_ends_all_that_it_has_started(write: Any) -> None:
    before = set(psutil.Process().children(recursive=True))
    pool = KernelPool()
    run_notebook(write("1"), pool=pool)
    assert set(psutil.Process().children(recursive=True)) > before

    pool.close()

    assert set(psutil.Process().children(recursive=True)) == before


RUNNER = """
import sys
from notebook_flows.notebook.pool import KernelPool
from notebook_flows.running import run_notebook
run_notebook(sys.argv[1], pool=KernelPool())
"""


def test_a_killed_runner_leaves_no_kernel_of_its_pool(write: Any, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    path = write(f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)")
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(path)], env=dict(os.environ))
    while not mark.exists() or not mark.read_text():
        assert runner.poll() is None
        time.sleep(0.02)
    kernel = psutil.Process(int(mark.read_text()))
    zygote = kernel.parent()

    runner.send_signal(signal.SIGKILL)
    runner.wait()

    assert zygote is not None
    assert not psutil.wait_procs([kernel, zygote], timeout=20)[1]
