"""What can happen to a process, and that it harms no other task."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_promises import double, enter, fifo_in, let_go, wait_until_inside

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Pickled
from notebook_flows.engine.logs import caught
from notebook_flows.errors import NotTransferable, RemoteError, WorkerDied
from notebook_flows.executors import ProcessExecutor, workers

ROOT = Path(__file__).parents[2]


def die_by(number):
    os.kill(os.getpid(), number)
    signal.pause()


def crash_hard():
    import ctypes

    ctypes.string_at(0)


def has_ended(pid, within_s=5):
    """Whether a process that is not our child ends soon."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], within_s)[0])
    finally:
        os.close(fd)


def run_script(text, folder, *, timeout=30):
    """Run a script as a user would; its completed process."""
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


PREAMBLE = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
print("the script runs", flush=True)
from executor_bench import Bench
from notebook_flows.executors import ProcessExecutor
bench = Bench(ProcessExecutor(2))
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: os._exit(7), "exited with code 7"),
        (lambda: os._exit(0), "exited with code 0"),
        (lambda: die_by(signal.SIGKILL), "was killed by SIGKILL (signal 9)"),
        (lambda: die_by(signal.SIGTERM), "was killed by SIGTERM (signal 15)"),
        (crash_hard, "was killed by SIGSEGV (signal 11)"),
        (lambda: os.closerange(3, 200), "its worker process (pid "),
    ],
)
def test_a_worker_that_dies_takes_only_its_own_task_with_it(processes, end, said):
    before = [processes.submit(double, x=x) for x in range(20)]
    dying = processes.submit(end, name="fragile")
    after = [processes.submit(double, x=x) for x in range(20)]

    outcomes = processes.outcomes(41)

    assert [outcomes[number].value for number in (*before, *after)] == [*range(0, 40, 2), *range(0, 40, 2)]
    assert outcomes[dying].state is S.CRASHED
    assert isinstance(outcomes[dying].value, WorkerDied)
    assert "Task 'fragile'" in outcomes[dying].message
    assert said in outcomes[dying].message


def test_a_task_whose_worker_dies_is_tried_again_if_it_has_a_retry(processes):
    processes.submit(lambda: os._exit(7), retries=1)

    assert processes.outcome().state is S.RETRYING


def test_many_dying_workers_are_all_replaced(processes):
    dying = [processes.submit(lambda: os._exit(1)) for _ in range(10)]
    living = [processes.submit(double, x=1) for _ in range(10)]

    outcomes = processes.outcomes(20)

    assert {outcomes[number].state for number in dying} == {S.CRASHED}
    assert {outcomes[number].value for number in living} == {2}


def test_an_idle_worker_that_is_killed_is_replaced(processes):
    processes.submit(os.getpid)
    os.kill(processes.outcome().value, signal.SIGKILL)

    processes.submit(double, x=1)

    assert processes.outcome().value == 2


def test_a_result_that_cannot_travel_fails_its_task_and_says_what_to_do(processes):
    processes.submit(lambda: (n for n in range(3)), name="lazy")

    outcome = processes.outcome()
    processes.submit(double, x=1)

    assert processes.outcome().value == 2
    assert outcome.state is S.FAILED
    assert isinstance(outcome.value, NotTransferable)
    assert "Task 'lazy' returned a generator" in outcome.message
    assert "threads" in outcome.message


def test_an_argument_that_cannot_travel_is_named(processes):
    processes.submit(double, name="double", x=threading.Lock())

    outcome = processes.outcome()

    assert outcome.state is S.FAILED
    assert isinstance(outcome.value, NotTransferable)
    assert "Task 'double': its argument 'x', a lock, cannot be sent" in outcome.message


def test_a_function_that_cannot_travel_fails_its_task(processes):
    lock = threading.Lock()
    processes.submit(lambda: lock, name="holds a lock")

    outcome = processes.outcome()

    assert outcome.state is S.FAILED
    assert "Task 'holds a lock' cannot be sent to a worker process" in outcome.message


def test_a_value_that_cannot_be_read_fails_only_the_task_that_reads_it(processes):
    call = processes.call(lambda x: x, name="reader", x=Pickled(b"cno_such_module\nthing\n."))

    processes.executor.submit(call)

    outcome = processes.outcome()
    assert outcome.state is S.FAILED
    assert "no_such_module" in outcome.message


def test_an_exception_that_cannot_travel_at_all_is_told_in_words(processes):
    class Broken(Exception):
        def __reduce__(self):
            raise RuntimeError("never")

        def __new__(cls, *_):
            if cls.made:
                raise RuntimeError("only once")
            cls.made = True
            return super().__new__(cls)

        made = False

    def fail():
        raise Broken("at heart")

    processes.submit(fail)

    outcome = processes.outcome()

    assert outcome.state is S.FAILED
    assert isinstance(outcome.value, RemoteError)
    assert "Broken" in str(outcome.value)


def test_an_exception_that_carries_a_lock_keeps_its_type_without_it(processes):
    class Held(Exception):
        pass

    def fail():
        error = Held("held")
        error.lock = threading.Lock()
        error.hint = "let go"
        raise error

    processes.submit(fail)

    error = processes.outcome().value

    assert type(error).__name__ == "Held"
    assert (error.args, error.hint) == (("held",), "let go")
    assert not hasattr(error, "lock")


def test_a_class_of_the_callers_is_the_same_class_when_it_comes_back(processes):
    class Point:
        def __init__(self, x):
            self.x = x

    processes.submit(lambda point: Point(point.x + 1), point=Point(1))

    value = processes.outcome().value

    assert type(value) is Point
    assert value.x == 2


def test_values_are_not_unpickled_on_their_way(processes):
    call = processes.call(double, x=1)
    processes.executor.submit(call)
    processes.inbox.wait_for(1)

    assert isinstance(processes.inbox.arrived[0].value, Pickled)


def test_a_big_value_travels_once_to_each_worker(processes, monkeypatch):
    import pickle

    sent = []
    packed = workers.frames.packed
    monkeypatch.setattr(
        workers.frames, "packed", lambda kind, head, body=b"": sent.append(len(body)) or packed(kind, head, body)
    )
    big = Pickled(pickle.dumps(b"x" * 1_000_000))

    for _ in range(20):
        processes.executor.submit(processes.call(lambda x: len(x), x=big))

    assert {outcome.value for outcome in processes.outcomes(20).values()} == {1_000_000}
    assert sum(size > 1_000_000 for size in sent) <= 2


def test_a_worker_forgets_what_it_has_not_used_for_long(processes, monkeypatch):
    import pickle

    monkeypatch.setattr(workers, "KNOWN_BYTES", 300_000)
    values = [Pickled(pickle.dumps(bytes([n]) * 100_000)) for n in range(8)]

    for n in (*range(8), *range(8)):
        processes.executor.submit(processes.call(lambda x: x[0], x=values[n]))

    outcomes = processes.outcomes(16)
    assert [outcomes[number].value for number in sorted(outcomes)] == [*range(8), *range(8)]


def test_calls_that_come_one_by_one_are_never_overlooked(processes):
    for x in range(50):
        waiting = processes.submit(double, x=x)
        processes.executor.cancel(waiting, 1)
        processes.outcome()
        processes.submit(double, x=x)
        assert processes.outcome().value == 2 * x


def test_a_long_task_does_not_keep_short_ones_waiting_behind_it(processes, tmp_path):
    for _ in range(200):
        processes.submit(double, x=1)
    processes.outcomes(200)
    gate = fifo_in(tmp_path)
    long = processes.submit(enter, gate=gate)
    short = [processes.submit(double, x=1) for _ in range(100)]

    wait_until_inside(gate)
    outcomes = processes.outcomes(100)

    assert outcomes.keys() == set(short)
    let_go(gate)
    assert processes.outcome().ref == long


def test_a_worker_that_has_given_everything_back_is_free(processes):
    from collections import deque

    worker = object.__new__(workers.WorkerProcess)
    done, second, third = (processes.call(double, x=x) for x in range(3))
    worker.batch, worker.link = deque([done, second, third]), done

    worker.link_ended(goes_on=False)
    back = worker.take_back({(second.ref, 1), (third.ref, 1)})

    assert back == [second, third]
    assert worker.link is None


def test_a_cancelled_task_takes_what_it_has_started_with_it(processes, tmp_path):
    gate = fifo_in(tmp_path)

    def start_two(gate):
        children = [
            subprocess.Popen(["sleep", "1000"]).pid,
            subprocess.Popen(["sleep", "1000"], start_new_session=True).pid,
        ]
        Path(gate).write_text(" ".join(map(str, children)))
        signal.pause()

    number = processes.submit(start_two, gate=gate)
    children = [int(word) for word in Path(gate).read_text().split()]

    processes.executor.cancel(number, 1)

    assert all(has_ended(pid) for pid in children)


def test_stop_leaves_nothing_behind_that_tasks_have_started(processes):
    def start_one():
        return subprocess.Popen(["sleep", "1000"]).pid

    def start_one_elsewhere():
        return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid

    processes.submit(start_one)
    processes.submit(start_one_elsewhere)
    children = [outcome.value for outcome in processes.outcomes(2).values()]

    processes.stop(cancel_running=False)

    assert all(has_ended(pid) for pid in children)


def test_a_task_that_shields_itself_from_its_timeout_is_killed(processes):
    def stubborn():
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:
                pass

    processes.submit(stubborn, timeout=0.05)

    outcome = processes.outcome()
    processes.submit(double, x=1)

    assert outcome.state is S.TIMED_OUT
    assert processes.outcome().value == 2


def test_an_async_task_runs_on_a_loop_of_its_own(processes):
    async def later(x):
        import asyncio

        await asyncio.sleep(0)
        return x + 1

    processes.submit(later, x=1)

    assert processes.outcome().value == 2


def test_log_records_and_captured_prints_come_back(processes):
    lines = []

    def speak():
        print("printed")
        logging.getLogger("mine").warning("logged %d", 1)

    call = processes.call(speak)
    call.task.log_stdout = True
    call.is_plain = False
    with caught(call.facts.run_id, lines.extend):
        processes.executor.submit(call)
        processes.outcome()

    assert [(line.logger, line.message, line.node) for line in lines] == [
        ("stdout", "printed", call.task_key),
        ("mine", "logged 1", call.task_key),
    ]


def test_handlers_run_where_the_attempt_runs(processes):
    def handler(task, old, new):
        if new.is_successful():
            new.result = os.getpid()
        return new

    processes.submit(double, x=1, handlers=[handler])

    assert processes.outcome().value != os.getpid()


def test_workers_see_the_callers_path_and_folder(processes, tmp_path, monkeypatch):
    processes.stop()
    (tmp_path / "only_here.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    processes.executor.start(processes.inbox, processes.call(double).facts)

    def look():
        import only_here

        return only_here.answer, str(Path.cwd())

    processes.submit(look)

    assert processes.outcome().value == (42, str(tmp_path))


def test_tasks_of_modules_are_found_there_with_whatever_the_module_holds(processes, tmp_path, monkeypatch):
    (tmp_path / "module_of_tasks.py").write_text(
        "import threading\n"
        "from notebook_flows.core.task import task\n"
        "lock = threading.Lock()\n"
        "@task\n"
        "def guarded(x):\n"
        "    with lock:\n"
        "        return x + 1\n"
    )
    processes.stop()
    monkeypatch.syspath_prepend(str(tmp_path))
    processes.executor.start(processes.inbox, processes.call(double).facts)
    import module_of_tasks

    processes.submit(module_of_tasks.guarded.run, x=1)

    assert processes.outcome().value == 2


def test_a_script_without_a_guard_runs_once_and_its_functions_travel(tmp_path):
    done = run_script(
        PREAMBLE
        + """
factor = 3
class Box:
    def __init__(self, x): self.x = x
def helper(x): return Box(factor * x)
bench.submit(lambda x: helper(x), x=Box(2).x)
value = bench.outcome().value
print(type(value) is Box, value.x)
bench.submit(lambda: print("from the worker"))
bench.outcome()
bench.stop(cancel_running=False)
""",
        tmp_path,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["the script runs", "True 6", "from the worker"]


def test_workers_end_with_their_parent_however_it_ends(tmp_path):
    gate = fifo_in(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        PREAMBLE
        + f"""
import signal, subprocess
def hold():
    child = subprocess.Popen(["sleep", "1000"])
    with open({gate!r}, "w") as door:
        door.write(f"{{os.getpid()}} {{os.getppid()}} {{child.pid}}")
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.pause()
bench.submit(hold)
bench.outcome()
"""
    )
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    pids = [int(word) for word in Path(gate).read_text().split()]

    parent.kill()
    parent.wait()

    assert [pid for pid in pids if not has_ended(pid)] == []


def test_the_interpreter_ends_at_once_though_nobody_has_stopped_the_executor(tmp_path):
    done = run_script(
        PREAMBLE
        + f"""
gate = {fifo_in(tmp_path)!r}
def hold(gate):
    with open(gate, "w") as door:
        door.write("inside")
    import signal
    signal.pause()
bench.submit(hold, gate=gate)
with open(gate) as door:
    door.read()
""",
        tmp_path,
        timeout=10,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_reaches_the_parent_only(processes):
    processes.submit(lambda: os.getsid(0))

    assert processes.outcome().value != os.getsid(0)


def test_no_more_workers_are_started_where_none_comes_up(bench_of, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    bench = bench_of(ProcessExecutor(2))

    number = bench.submit(double, x=1)

    outcome = bench.outcome()
    assert (outcome.ref, outcome.state) == (number, S.CRASHED)
    assert "cannot be started" in outcome.message


def test_a_worker_holds_no_file_of_the_parents(processes, tmp_path):
    with (tmp_path / "lock").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        processes.submit(
            lambda: [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        )

        outcome = processes.outcome()

    assert not any("lock" in name for name in outcome.value or [])
