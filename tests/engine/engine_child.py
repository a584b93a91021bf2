"""Processes that the tests of the engine interrupt and kill: ``python engine_child.py WHAT``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import warnings
from datetime import timedelta
from typing import Any

from notebook_flows import Flow, task


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


@task
def long(ready: str = "ready") -> None:
    say(ready)
    time.sleep(60)


@task
def after(x: Any) -> Any:
    return x


@task
async def async_long() -> None:
    say("ready")
    await asyncio.sleep(60)


def until_interrupted(flow: Flow, **options: Any) -> None:
    """Run, and say how long it was from the interrupt to the prompt."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flow.run(**options)
    except KeyboardInterrupt:
        say("prompt")


def with_executor(executor: str) -> None:
    with Flow(executor) as flow:
        after(long())
    until_interrupted(flow, executor=executor)
    if executor != "local":
        os._exit(0)  # a thread that sleeps on would not hold up the exit, but the test need not see it


def in_async_lane() -> None:
    with Flow("async") as flow:
        after(async_long(task_args={"name": "long"}))
    until_interrupted(flow)


def resting() -> None:
    @task(max_retries=1, retry_delay=timedelta(hours=1))
    def shaky() -> None:
        raise ConnectionError

    said: list[str] = []

    def look(run: Any, events: Any) -> None:
        if run.due and not said:
            said.append("ready")
            say("ready")

    with Flow("resting") as flow:
        shaky()
    until_interrupted(flow, observers=[look])


def twice() -> None:
    with Flow("first") as flow:
        after(long())
    until_interrupted(flow)
    with Flow("second") as flow:
        after(1)
    say(f"second run: {type(flow.run()).__name__}")


def restores() -> None:
    with Flow("first") as flow:
        long()
    until_interrupted(flow)
    handler = signal.getsignal(signal.SIGINT)
    say(f"handler: {getattr(handler, '__name__', handler)}")


# -- for the crash points ----------------------------------------------------------------------------------------------


def marked() -> None:
    """Three tasks one after the other, each of which leaves a mark outside before it ends."""

    @task
    def step(before: int) -> int:
        say(f"ran {before}")
        return before + 1

    with Flow("marked") as flow:
        step(step(step(0)))
    flow.run(flow_run_id="4" * 32, executor=os.environ.get("CHILD_EXECUTOR", "local"))
    say("ended")


def killed_in_a_task() -> None:
    @task
    def first() -> int:
        return 1

    @task
    def kills(x: int) -> None:
        time.sleep(float(os.environ.get("CHILD_RESTS_S", "1.2")))
        os.kill(os.getpid(), signal.SIGKILL)

    with Flow("killed") as flow:
        after(kills(first()))
    flow.run(flow_run_id="4" * 32)


WHAT = {
    "local": lambda: with_executor("local"),
    "threads": lambda: with_executor("threads:2"),
    "processes": lambda: with_executor("processes:2"),
    "async": in_async_lane,
    "resting": resting,
    "twice": twice,
    "restores": restores,
    "marked": marked,
    "killed_in_a_task": killed_in_a_task,
}

if __name__ == "__main__":
    WHAT[sys.argv[1]]()
