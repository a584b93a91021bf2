"""Threads that are used again."""

from __future__ import annotations

import contextvars
import threading

from notebook_flows.session.crew import Crew

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


def run_and_wait(crew: Crew) -> threading.Thread:
    seen: list[threading.Thread] = []
    done = threading.Event()

    def work() -> None:
        seen.append(threading.current_thread())
        done.set()

    crew.run(work, name="work")
    assert done.wait(30)
    while not crew._idle:  # it becomes idle just after
        threading.Event().wait(0.001)
    return seen[0]


def test_a_thread_whose_function_has_ended_runs_the_next() -> None:
    crew = Crew()

    first, second = run_and_wait(crew), run_and_wait(crew)

    assert first is second


def test_functions_run_side_by_side_where_all_threads_are_busy() -> None:
    crew = Crew()
    meeting = threading.Barrier(3)

    crew.run(lambda: meeting.wait(30) and None, name="one")
    crew.run(lambda: meeting.wait(30) and None, name="other")

    meeting.wait(30)


def test_a_function_sees_the_context_of_who_asked_for_it() -> None:
    crew = Crew()
    seen: list[str] = []

    for who in ("first", "second"):
        done = threading.Event()

        def work(done: threading.Event = done) -> None:
            seen.append(WHO.get())
            WHO.set("left behind")
            done.set()

        token = WHO.set(who)
        crew.run(work, name=who)
        WHO.reset(token)
        assert done.wait(30)

    assert seen == ["first", "second"]
