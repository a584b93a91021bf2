"""What the Jupyter server answers: to whom, of which runs, and what it writes into the history."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from notebook_flows import Flow, task
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from serving import Address

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run
    from notebook_flows.store.sqlite import SqliteEventLog

RUN = "a" * 32
PATIENCE_S = 30.0
ADDRESSES = [("GET", ""), ("GET", f"/runs/{RUN}"), ("GET", f"/runs/{RUN}/events"), ("POST", f"/runs/{RUN}/requests")]
CANCEL = {"kind": "cancel"}


@contextmanager
def run_that_waits() -> Iterator[Callable[[], str]]:
    """Inside, a run goes on in another thread; what is given waits for its end, and tells it."""
    begun, may_end = threading.Event(), threading.Event()
    ends: list[str] = []

    @task
    def waits() -> None:
        begun.set()
        may_end.wait(PATIENCE_S)

    with Flow("waiting") as flow:
        task(lambda x: x, name="after")(waits())

    def run() -> None:
        state = flow.run(flow_run_id=RUN, executor="threads")
        ends.append(f"{type(state).__name__}: {state.message}")

    def end() -> str:
        thread.join(PATIENCE_S)
        return ends[0]

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(PATIENCE_S)
    try:
        yield end
    finally:
        may_end.set()
        thread.join(PATIENCE_S)


def wait_for_state(history: SqliteEventLog, state: S) -> None:
    """Until it is committed."""
    until_s = time.monotonic() + PATIENCE_S
    while history.run(RUN).state is not state:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def finished_run() -> None:
    with Flow("finished") as flow:
        task(lambda: 1, name="one")()
    flow.run(flow_run_id=RUN)


# -- who is answered ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_nobody_is_answered_without_the_token(
    server: Address, history: SqliteEventLog, method: str, path: str, token: str | None
) -> None:
    finished_run()

    answer = server.ask(path, method=method, body=b'{"kind": "cancel"}' if method == "POST" else None, token=token)

    assert answer.status == 403
    assert history._reader.requests(history._reader.run_no(RUN), after=0) == []


def test_a_page_that_has_only_the_cookie_needs_the_xsrf_token_too(server: Address) -> None:
    page = {"Cookie": f"{server.ask('').cookie}; _xsrf=one"}

    refused = server.post(f"/runs/{RUN}/requests", CANCEL, token=None, headers=page)
    heard = server.post(f"/runs/{RUN}/requests", CANCEL, token=None, headers={**page, "X-XSRFToken": "one"})

    assert refused.status == 403
    assert "_xsrf" in refused.message
    assert heard.status == 404
    assert "does not see run" in heard.message


def test_whoever_may_ask_is_told_what_can_be_asked(server: Address) -> None:
    answer = server.ask("")

    assert answer.status == 200
    assert "cancel" in answer.body["kinds"]


# -- of which runs -----------------------------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_seen(server: Address, history: SqliteEventLog) -> None:
    with run_that_waits():
        wait_for_state(history, S.RUNNING)

        answer = server.ask(f"/runs/{RUN}")

    assert (answer.status, answer.body) == (
        200,
        {"run_id": RUN, "flow": "waiting", "state": "running", "goes_on": True},
    )


def test_a_run_that_has_ended_is_seen_and_does_not_go_on(server: Address) -> None:
    finished_run()

    answer = server.ask(f"/runs/{RUN}")

    assert (answer.body["state"], answer.body["goes_on"]) == ("success", False)


@pytest.mark.parametrize("path", ["/runs/{}", "/runs/{}/events"])
@pytest.mark.parametrize("run_id", ["b" * 32, RUN[:12]])
def test_a_run_of_another_history_or_half_an_id_is_not_seen(server: Address, path: str, run_id: str) -> None:
    finished_run()

    answer = server.ask(path.format(run_id))

    assert answer.status == 404
    assert "does not see run" in answer.message


@pytest.mark.parametrize("run_id", ["..%2F..%2Fetc", "a%00b", "%3Cimg%3E", "x" * 65, ".hidden"])
def test_what_can_be_no_id_is_refused(server: Address, run_id: str) -> None:
    answer = server.ask(f"/runs/{run_id}")

    assert answer.status == 400
    assert "The id of a run" in answer.message


def test_a_history_that_cannot_be_read_is_told_in_a_sentence(server: Address, history: SqliteEventLog) -> None:
    finished_run()
    history.close()
    history.path.write_bytes(b"this is no database" * 100)

    answer = server.ask(f"/runs/{RUN}")

    assert answer.status == 503
    assert "history.sqlite" in answer.message


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:These tasks cannot be stopped")
def test_a_cancel_ends_the_run_with_its_reason(server: Address, history: SqliteEventLog) -> None:
    with run_that_waits() as end:
        answer = server.post(f"/runs/{RUN}/requests", {"kind": "cancel", "reason": "Enough."})
        told = end()

    assert answer.status == 202
    assert answer.body == {"request": 1, "message": "The run is asked to stop."}
    assert told == "Cancelled: Enough."
    assert history.run(RUN).state is S.CANCELLED


def test_a_retry_has_what_failed_run_again_in_the_run_that_goes_on(server: Address, tmp_path: Path) -> None:
    marker, has_failed, asked = tmp_path / "tried", threading.Event(), threading.Event()

    @task
    def fails_once() -> str:
        if not marker.exists():
            marker.touch()
            raise ValueError("not yet")
        return "there"

    @task
    def asks() -> int:
        assert has_failed.wait(PATIENCE_S)
        status = server.post(f"/runs/{RUN}/requests", {"kind": "retry"}).status
        assert asked.wait(PATIENCE_S)
        return status

    def hear(run: Run, events: Sequence[Event]) -> None:
        if any(event.kind is Kind.TASK and event.state is S.FAILED for event in events):
            has_failed.set()
        if any(event.kind is Kind.REOPENED for event in events):
            asked.set()

    with Flow("again") as flow:
        first, answer = fails_once(), asks()
    state = flow.run(flow_run_id=RUN, executor="threads", observers=[hear])

    assert state.result[answer].result == 202
    assert state.result[first].result == "there"


def test_a_run_that_has_ended_cannot_be_asked_for_anything(server: Address) -> None:
    finished_run()

    answer = server.post(f"/runs/{RUN}/requests", CANCEL)

    assert answer.status == 409
    assert answer.message == f"Run {RUN[:12]} of 'finished' does not go on any more: it is success."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"cancel", "no JSON"),
        (b'{"kind": "cancel"', "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 2000, "no JSON"),
        (b"[]", "has to be an object"),
        (b"null", "has to be an object"),
        (b"{}", "The kind of a request is"),
        (b'{"kind": "cancle"}', "Did you mean 'cancel'?"),
        (b'{"kind": ["cancel"]}', "The kind of a request is"),
        (b'{"kind": "cancel", "run": "all"}', "nothing else"),
        (b'{"kind": "cancel", "reason": 7}', "A reason is a text"),
        (b'{"kind": "cancel", "reason": ""}', "A reason is a text"),
        (b'{"kind": "cancel", "reason": "' + b"x" * 501 + b'"}', "A reason is a text"),
    ],
)
def test_a_body_that_asks_for_nothing_is_refused_with_a_sentence(server: Address, body: bytes, said: str) -> None:
    finished_run()

    answer = server.ask(f"/runs/{RUN}/requests", method="POST", body=body)

    assert answer.status == 400
    assert said in answer.message


def test_a_huge_body_is_refused(server: Address) -> None:
    finished_run()

    answer = server.ask(f"/runs/{RUN}/requests", method="POST", body=b" " * 100_000 + b'{"kind": "cancel"}')

    assert answer.status == 413
    assert answer.message == "The body of a request has 4096 bytes at most."


def test_a_huge_body_in_pieces_of_unknown_number_is_refused(server: Address) -> None:
    finished_run()

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    answer = server.ask(f"/runs/{RUN}/requests", method="POST", body=pieces())

    assert answer.status == 413


# -- what has happened -------------------------------------------------------------------------------------------------


def test_events_come_in_pages_and_in_columns(server: Address, history: SqliteEventLog) -> None:
    finished_run()
    stored = history.read(RUN)

    pages = []
    after = 0
    while (page := server.ask(f"/runs/{RUN}/events?after={after}&limit=2").body)["columns"]["seq"]:
        pages.append(page)
        after = page["next"]

    assert [seq for page in pages for seq in page["columns"]["seq"]] == [event.seq for event in stored]
    assert [state for page in pages for state in page["columns"]["state"]] == [event.state for event in stored]
    assert {len(page["columns"]["seq"]) for page in pages[:-1]} == {2}
    assert not any(page["goes_on"] for page in pages)


def test_values_of_parameters_are_not_told(server: Address) -> None:
    from notebook_flows import Parameter

    with Flow("given") as flow:
        task(lambda x: x, name="one")(Parameter("x"))
    flow.run(parameters={"x": "a value of mine"}, flow_run_id=RUN)

    assert "a value of mine" not in str(server.ask(f"/runs/{RUN}/events").body)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=1e3", "limit=0", "limit=100000", "after=" + "9" * 30, "after=٣"]
)
def test_what_is_no_number_is_refused(server: Address, query: str) -> None:
    from urllib.parse import quote

    answer = server.ask(f"/runs/{RUN}/events?{quote(query, safe='=')}")

    assert answer.status == 400
    assert "has to be a whole number" in answer.message


# -- what is loaded ----------------------------------------------------------------------------------------------------


def test_a_jupyter_server_finds_the_extension() -> None:
    import notebook_flows

    (point,) = notebook_flows._jupyter_server_extension_points()

    assert hasattr(__import__(point["module"], fromlist=["*"]), "_load_jupyter_server_extension")


def test_importing_the_package_loads_nothing_of_jupyter_server() -> None:
    import subprocess

    code = "import sys, notebook_flows; print(sorted(m for m in sys.modules if m.startswith(('jupyter', 'tornado'))))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == "[]\n"
