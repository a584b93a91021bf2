"""In a real kernel: a page looks at `flow.run()` in a cell, while it goes on and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pages import VIEW

from notebook_flows.core.lifecycle import S
from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from pages import OpenPage

pytestmark = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)
DEFINE = """
from notebook_flows import Flow, artifact, task
import logging, threading, time, pandas as pd
may_end = threading.Event()

@task
def load():
    logging.getLogger("mine").warning("three rows")
    print("printed")
    artifact(pd.DataFrame({"a": range(300), "b": "<b>x</b>"}), "rows", title="The rows", description="All of them.")
    artifact("# Head", "text")
    artifact("https://example.org/a", "where")
    artifact(b"not to be seen", "raw", kind="file", name="raw.bin")
    return [1, 2, 3]

@task
def wait(rows):
    while not may_end.wait(0.02): pass

@task
def fail(rows): raise ValueError("no rows")

with Flow("looked at") as flow:
    rows = load()
    wait(rows)
    fail(rows)
"""


def begun(page: OpenPage, source: str) -> tuple[str, str]:
    """The request, and the subshell by which a page is heard meanwhile."""
    subshell = page.new_subshell()
    request = page.begin("go", source)
    page.wait(lambda: page.has_told(1, S.RUNNING))
    return request, subshell


def test_cancel_ends_the_run_also_in_the_midst_of_a_task_and_what_comes_after_it_goes_on(page: OpenPage) -> None:
    page.run("define", DEFINE)
    request, subshell = begun(
        page, "state = flow.run()\nafter = [n for n in range(200_000)][-1]\nprint('went on', after)"
    )

    first = page.ask({"type": "action", "action": "cancel"}, subshell=subshell)
    page.wait(lambda: page.is_idle(request))
    second = page.ask({"type": "action", "action": "cancel"}, subshell=subshell)

    assert first["ok"]
    assert "went on 199999" in page.text("go")
    assert page.value("type(state).__name__, state.message") == "('Cancelled', 'Cancelled by a click on its picture.')"
    assert page.of("snapshot")[-1]["run_state"] == S.CANCELLED
    assert not second["ok"]


def test_what_a_task_has_made_is_told_while_the_run_goes_on(page: OpenPage) -> None:
    page.run("define", DEFINE)
    request, subshell = begun(page, "state = flow.run()")

    done = page.ask({"type": "detail", "node": 0, "index": -1}, subshell=subshell)
    going = page.ask({"type": "detail", "node": 1, "index": -1}, subshell=subshell)
    page.ask({"type": "action", "action": "cancel"}, subshell=subshell)
    page.wait(lambda: page.is_idle(request))

    assert done["outputs"] == [{"name": "result", "repr": "[1, 2, 3]"}]
    assert "def load" in done["code"]
    assert going["inputs"] == [{"name": "rows", "repr": "[1, 2, 3]", "from": "load"}]
    assert "outputs" not in going


def detail_of(page: OpenPage, node: int) -> dict[str, Any]:
    return page.ask({"type": "detail", "node": node, "index": -1})


def test_logs_tracebacks_and_artifacts_are_there_when_nobody_has_kept_the_state(page: OpenPage) -> None:
    page.run("define", f"{DEFINE}\nmay_end.set()")
    page.run("go", "flow.run() and None")

    load, fail = detail_of(page, 0), detail_of(page, 2)

    assert load["logs"][0] == "three rows"
    assert "ValueError: no rows" in fail["traceback"]
    assert fail["attempts"][0]["state"] == S.FAILED
    table, text, link, raw = load["artifacts"]
    assert (table["key"], table["title"], table["description"]) == ("rows", "The rows", "All of them.")
    assert table["table"]["columns"] == ["a", "b"]
    assert table["table"]["rows"][:1] == [["0", "<b>x</b>"]]
    assert len(table["table"]["rows"]) + table["table"]["more"] == 300
    assert text["marked"] == [["h1", ["Head"]]]
    assert link["href"] == "https://example.org/a"
    assert raw["plain"].startswith("raw.bin, 14 bytes.")


LONG = """
from notebook_flows import Flow, task

@task
def endless():
    raise ValueError("x" * 1_000_000 + " at last")

with Flow("long") as flow:
    endless()
state = flow.run()
"""


def test_a_very_long_traceback_keeps_its_beginning_and_its_end_and_begins_in_the_code_of_the_task(
    page: OpenPage,
) -> None:
    page.run("go", LONG)

    traceback = detail_of(page, 0)["traceback"]

    first, second = traceback.splitlines()[:2]
    assert first == "Traceback (most recent call last):"
    assert "notebook_flows" not in second
    assert 'raise ValueError("x" * 1_000_000' in traceback
    assert "characters left out" in traceback
    assert traceback.rstrip().endswith(" at last")


SIMPLE = """
from datetime import datetime, timedelta, timezone
from notebook_flows import Flow, task
from notebook_flows.prefect.schedules import Schedule
from notebook_flows.prefect.schedules.clocks import DatesClock
@task
def one(): return 1
with Flow("simple") as flow: one()
"""


def test_of_many_runs_in_one_cell_the_last_twenty_are_live_and_all_have_the_picture_of_their_end(
    page: OpenPage,
) -> None:
    page.run("define", SIMPLE)

    page.run("go", "for _ in range(23): flow.run()")

    outputs = [one["data"] for one in page.shown["go"] if "data" in one]
    views, pictures = outputs[::2], outputs[1::2]
    live = [VIEW in one for one in views]
    assert len(live) == 23
    assert live[-20:] == [True] * 20
    assert not any(live[:3])
    assert views[0] == {"text/plain": ""}
    assert all("1 success" in one["text/plain"] for one in pictures)


@pytest.mark.parametrize(
    ("name", "shorter"), [("STILL_EVERY_S", 0.1), ("UNHEARD_S", 0.1)], ids=["now and then", "where no page answers"]
)
def test_the_still_picture_of_a_run_that_goes_on_is_drawn_anew(page: OpenPage, name: str, shorter: float) -> None:
    module = "from notebook_flows.session import livepicture"
    page.run("often", f"{module}\nwas, livepicture.{name} = livepicture.{name}, {shorter}")
    page.run("define", "may_end.set()")
    page.run("first", "%%task first\nx = 1")
    page.run("wait", "%%task wait\ny = x\nmay_end.wait(60)")
    page.run("hold", "may_end.clear()")

    page.run("long", "%flow run --all --background")
    page.wait(lambda: "1 running, 1 success" in page.shown["long"][1]["data"]["text/plain"])
    page.run("release", "may_end.set()")
    page.wait(lambda: "2 success" in page.shown["long"][1]["data"]["text/plain"])
    page.run("as-before", f"livepicture.{name} = was")

    assert "image/svg+xml" in page.shown["long"][1]["data"]


def test_a_picture_of_a_run_that_goes_on_stays_live_however_many_come_after_it(page: OpenPage) -> None:
    page.run("define", f"{SIMPLE}\nmay_end.set()")
    page.run("wait", "%%task wait\nmay_end.wait(60)")
    page.run("hold", "may_end.clear()")
    page.run("long", "%flow run --all --background")
    page.wait(lambda: page.has_told(0, S.RUNNING))
    long = page.widget

    page.run("go", "for _ in range(23): flow.run()")
    page.run("release", "may_end.set()")
    page.wait(lambda: page.of("snapshot", long)[-1]["run_state"] == S.SUCCESS)

    assert VIEW in page.shown["long"][0]["data"]
    assert sum(VIEW in one["data"] for one in page.shown["go"] if "data" in one) == 19


def test_each_run_of_a_schedule_is_told_by_its_own_id(page: OpenPage) -> None:
    page.run("define", SIMPLE)
    page.run(
        "go",
        "from notebook_flows.testing import FakeClock\n"
        "clock = FakeClock()\n"
        "dates = [clock.now() + timedelta(hours=one) for one in (1, 2)]\n"
        "flow.schedule = Schedule(clocks=[DatesClock(dates)])\n"
        "state = flow.run(clock=clock)",
    )

    told = [one["run"]["id"] for one in page.of("snapshot") if one["run_state"] == S.SUCCESS]
    log = "__import__('notebook_flows.workspace').workspace.event_log()"
    recorded = page.value(f"' '.join(one.run_id for one in {log}.runs(flow='simple', limit=2))")
    assert set(told) <= set(recorded.strip("'").split())
    assert page.value("state.context['flow_run_id']") == repr(told[-1])


def test_a_run_in_a_subshell_is_shown_below_its_cell(page: OpenPage) -> None:
    page.run("define", SIMPLE)
    subshell = page.new_subshell()

    page.run("go", "state = flow.run()", subshell=subshell)

    assert page.of("snapshot")[-1]["run_state"] == S.SUCCESS
    assert "1 success" in page.shown["go"][1]["data"]["text/plain"]


def test_a_run_in_a_thread_of_the_user_has_no_picture(page: OpenPage) -> None:
    page.run("define", SIMPLE)

    page.run("go", "made = []\none = threading.Thread(target=lambda: made.append(flow.run()))\none.start(); one.join()")

    assert page.shown["go"] == []
    assert page.value("made[0].is_successful()") == "True"


def test_what_has_failed_is_told_below_the_picture(page: OpenPage) -> None:
    page.run("define", DEFINE)
    page.run("mapped", "with flow: fail.map(rows)\nmay_end.set()")

    page.run("go", "state = flow.run(executor='threads:2')")

    assert page.text("go").splitlines()[-4:] == [
        "✗ fail: failed: ValueError: no rows",
        *(f"✗ fail[{index}]: failed: ValueError: no rows" for index in range(3)),
    ]
