"""Writes the golden runs: ``python tests/golden/write_golden.py`` adds those that are missing, and changes none.

A golden run that was written once stays: histories that users have look like it. To record a new kind of run, add a
function here; to replace one, delete its two files first, and say why in the commit.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows import Flow, Parameter, artifact, case, merge, signals, task, triggers
from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.engine.stopping import retry_run
from notebook_flows.store.sweeping import crash_events
from notebook_flows.testing import FakeClock, InlineExecutor, MemoryEventLog, run_flow_for_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HERE = Path(__file__).parent
RUNS: dict[str, Callable[[], list[Event]]] = {}


def golden(write: Callable[[], list[Event]]) -> Callable[[], list[Event]]:
    RUNS[write.__name__] = write
    return write


def events_of(
    flow: Flow, clock: FakeClock | None = None, log: MemoryEventLog | None = None, **more: Any
) -> list[Event]:
    time = clock or FakeClock()
    history = log or MemoryEventLog(clock=time)
    executor = InlineExecutor(2, seed=1, clock=time)
    run_flow_for_test(
        flow, clock=time, executor=executor, event_log=history, flow_run_id="0" * 32, flow_run_name="golden", **more
    )
    return history.read("0" * 32)


@task
def load(size: int = 3) -> list[int]:
    return list(range(size))


@task
def double(x: int) -> int:
    return 2 * x


@task
def picky(x: int) -> int:
    if x == 1:
        raise ValueError("1 is not wanted")
    return x


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def broken() -> None:
    raise ZeroDivisionError("nothing to divide by")


@golden
def success() -> list[Event]:
    with Flow("success") as flow:
        numbers = load(Parameter("size", default=3))
        total(numbers)
        double(total(numbers))
    return events_of(flow, size=2)


@golden
def failure() -> list[Event]:
    with Flow("failure") as flow:
        bad = broken()
        after = double(bad)
        double(after)
        task(lambda: "cleaned", name="clean up", trigger=triggers.any_failed)(upstream_tasks=[bad])
        load()
    return events_of(flow)


@golden
def retry() -> list[Event]:
    left = [1, 2]

    @task(max_retries=3, retry_delay=[timedelta(seconds=10), timedelta(hours=1)])
    def shaky() -> str:
        if left:
            raise ConnectionError(f"{left.pop()} tries left")
        return "there"

    with Flow("retry") as flow:
        double(shaky())
    return events_of(flow)


@golden
def mapped() -> list[Event]:
    with Flow("mapped") as flow:
        numbers = load(3)
        lane = double.map(picky.map(numbers))
        total(lane)
        task(lambda x: len(x), name="how many", trigger=triggers.all_finished)(lane)
        double.map(load(0))
    return events_of(flow)


@golden
def tried_again() -> list[Event]:
    """What has failed is tried again: a task and what waits for it, and a child of a mapped task that had ended."""
    good: list[bool] = []

    @task
    def shaky(x: int) -> int:
        if x == 1 and not good:
            raise ConnectionError("not yet")
        return x

    @task(trigger=triggers.all_finished)
    def asks(one: int, numbers: list[int]) -> None:
        good.append(True)
        retry_run("0" * 32)

    with Flow("tried again") as flow:
        numbers = shaky.map(load(3))
        lane = double.map(numbers)
        one = shaky(1)
        double(one)
        total(lane)
        asks(one, numbers)
        broken()
    return events_of(flow)


@golden
def branches() -> list[Event]:
    with Flow("branches") as flow:
        kind = Parameter("kind", default="b")
        with case(kind, "a"):
            one = load(1)
        with case(kind, "b"):
            two = load(2)
        total(merge(one, two))
    return events_of(flow)


@golden
def skipped() -> list[Event]:
    @task
    def skip() -> None:
        raise signals.SKIP("not today")

    with Flow("skipped") as flow:
        after = double(skip())
        task(lambda: "anyway", name="anyway", skip_on_upstream_skip=False)(upstream_tasks=[after])
    return events_of(flow)


@golden
def looped() -> list[Event]:
    @task(max_retries=1, retry_delay=timedelta(seconds=1))
    def count(context: Any) -> int:
        so_far = context.get("task_loop_result", 0)
        if so_far == 1 and context["attempt"] == 1:
            raise ConnectionError("once, in the second round")
        if so_far < 2:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    with Flow("looped") as flow:
        double(count())
    return events_of(flow)


@golden
def paused() -> list[Event]:
    with Flow("paused") as flow:
        numbers = load()
        task(lambda numbers: numbers, name="publish", trigger=triggers.manual_only)(numbers)
        total(numbers)
    return events_of(flow)


@golden
def cancelled() -> list[Event]:
    clock = FakeClock()
    log = MemoryEventLog(clock=clock)

    @task
    def ask(x: int) -> int:
        log.request("0" * 32, "cancel", {"reason": "Enough."})
        clock.advance(1)
        return x

    with Flow("cancelled") as flow:
        asked = ask(double(1))
        double.map(load(upstream_tasks=[asked]))
    return events_of(flow, clock, log)


@golden
def flow_timed_out() -> list[Event]:
    clock = FakeClock()

    @task
    def slow() -> None:
        clock.advance(61)

    with Flow("timed out", timeout=60) as flow:
        double(slow())
        load()
    return events_of(flow, clock)


@golden
def task_timed_out() -> list[Event]:
    @task(timeout=0.01)
    def endless() -> None:
        while True:
            pass

    with Flow("endless") as flow:
        double(endless())
        load()
    return events_of(flow)


@golden
def judged() -> list[Event]:
    def only_on_sundays(upstream_states: Any) -> bool:
        return False

    def always(upstream_states: Any) -> bool:
        return True

    with Flow("judged") as flow:
        numbers = load()
        task(lambda x: x, name="rest", trigger=only_on_sundays)(numbers)
        task(lambda x: x, name="work", trigger=always)(numbers)
    return events_of(flow)


@golden
def artifacts() -> list[Event]:
    left = [1]

    @task(max_retries=1, retry_delay=timedelta(seconds=1))
    def look(x: int) -> int:
        artifact([{"x": x, "double": 2 * x}], "rows", title="What came in")
        if left:
            left.pop()
            raise ConnectionError("once")
        artifact("https://example.org/report")
        return x

    with Flow("artifacts") as flow:
        look.map(load(1))
        look(7)
    return events_of(flow)


@golden
def given_states() -> list[Event]:
    from notebook_flows.core.state import Success

    with Flow("given states") as flow:
        numbers = load()
        total(numbers)
    return events_of(flow, task_states={numbers: Success(result=[7])})


@golden
def crashed() -> list[Event]:
    """Cut off in the middle of a mapping, as by ``kill -9``, and told crashed by the next who looked."""
    known = mapped()
    last = max(n for n, event in enumerate(known) if event.kind is Kind.EXPANDED and event.data and event.data["width"])
    return crash(known[: last + 1])


def crash(known: list[Event]) -> list[Event]:
    data = known[0].data
    assert data is not None
    size = len(data["graph"]["slugs"])
    return [*known, *crash_events(known, size, len(known) + 1, known[-1].at_us + 5_000_000, "Its process is gone.")]


# -- files -------------------------------------------------------------------------------------------------------------


def lines(events: Iterable[Event]) -> str:
    """Events as JSON lines; without tracebacks, which tell of the machine that wrote them."""
    told = []
    for event in events:
        data = None if event.data is None else {key: one for key, one in event.data.items() if key != "traceback"}
        told.append(json.dumps({**event._asdict(), "data": data}, ensure_ascii=False))
    return "\n".join(told) + "\n"


def read(path: Path) -> list[Event]:
    """The events of one golden run."""
    return [
        Event(**{**known, "kind": Kind(known["kind"]), "state": S(known["state"])})
        for known in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


def folded(events: list[Event]) -> dict[str, Any]:
    """Where the run stands at the end, as `README.md` beside this file describes it."""
    assert events[0].data is not None
    run = Run(plan_from_first_event(events[0].data))
    for event in events:
        run.apply(event)
    return {
        "seq": run.seq,
        "run_state": int(run.run_state),
        "stopping": None if run.stopping is None else int(run.stopping),
        "counts": {str(number): count for number, count in enumerate(run.counts) if count},
        "children": {str(node): children.width for node, children in sorted(run.children.items())},
        "task_runs": [
            [*run.place_of(number), int(state), run.attempt[number], run.loops.get(number, 0) + 1]
            for number, state in enumerate(run.state)
        ],
    }


def main() -> None:
    for name, write in RUNS.items():
        path = HERE / f"{name}.jsonl"
        if path.exists():
            continue
        path.write_text(lines(write()), encoding="utf-8")
        known = folded(read(path))
        rows = ",\n    ".join(json.dumps(row) for row in known.pop("task_runs"))
        text = json.dumps(known, indent=2)[:-2]
        path.with_suffix(".json").write_text(f'{text},\n  "task_runs": [\n    {rows}\n  ]\n}}\n')
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
