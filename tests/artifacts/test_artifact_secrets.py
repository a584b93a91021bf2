"""The value of a secret parameter is nowhere in what is kept of artifacts."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, Parameter, Secret, artifact, task
from notebook_flows.notebook.redaction import Redactor
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace.attachments import attachments_for, content_of

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-7f3a9c"


@task
def leak(password, how):
    value = password.get()
    if how == "text":
        artifact(f"the password is {value}", f"key {value}", title=value, description=f"see {value}")
        artifact([{"user": "ada", value: value}])
        artifact(f"https://{value}@example.org")
        artifact(value.encode() + b"x" * MOST_INLINE, name=f"{value}.txt")
    else:
        artifact(b"\xff\x00" + value.encode(), name="dump.bin")


def run(how: str) -> Any:
    with Flow("leaks") as flow:
        leak(Parameter("password"), how)
    return flow.run(password=Secret(CANARY), executor="threads:2")


def test_it_is_masked_in_texts_tables_names_and_links(disk: Any, tmp_path: Path) -> None:
    state = run("text")

    assert state.is_successful()
    disk.close()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]
    rows = {row.kind: row for row in disk.artifacts(state.context["flow_run_id"])}
    assert content_of(disk, rows["markdown"]) == b"the password is ***"
    assert (rows["markdown"].key, rows["markdown"].title) == ("key ***", "***")
    assert rows["link"].link == "https://***@example.org"
    assert content_of(disk, rows["file"])[:4] == b"***x"


def test_where_it_cannot_be_masked_nothing_is_kept_and_the_log_says_so(disk: Any) -> None:
    state = run("bytes")

    run_id = state.context["flow_run_id"]
    assert state.is_successful()
    assert disk.artifacts(run_id) == []
    (line,) = [line for line in disk.log_lines(run_id) if line.level == 40]
    assert line.message.startswith("An artifact is not kept: What was attached has the value of a secret parameter")


def test_no_secret_travels_with_what_keeps_artifacts(disk: Any) -> None:
    store = attachments_for(disk, Redactor([CANARY]))

    travelled = pickle.dumps(store)

    assert CANARY.encode() not in travelled
    again = pickle.loads(travelled)
    assert (again.place, again.most_inline) == (store.place, store.most_inline)  # type: ignore[union-attr] # it is one here


@pytest.mark.parametrize("history", ["sqlite, folder"], indirect=True)
def test_a_run_without_secrets_keeps_bytes_as_they_are(history: Any) -> None:
    @task
    def attach():
        artifact(b"\xff***\x00", name="x.bin")

    with Flow("plain") as flow:
        attach()

    run_id = flow.run().context["flow_run_id"]

    assert [content_of(history, row) for row in history.artifacts(run_id)] == [b"\xff***\x00"]
