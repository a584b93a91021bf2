"""Attaching while something fails: the disk, the bucket, the server, the process. Nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

import notebook_flows
from notebook_flows import Flow, artifact, task
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store.blob_folder import BlobFolder
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace import event_log
from notebook_flows.workspace.attachments import content_of
from notebook_flows.workspace.histories import stored_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from store_server import Server

ROOT = Path(notebook_flows.__path__[0]).parent
LARGE = b"\x00" * (MOST_INLINE + 1)


@task
def attach():
    artifact("small", "small")
    artifact(LARGE, "large", name="l.bin")
    artifact("after", "after")
    return 1


def run_attaching() -> Any:
    with Flow("attaching") as flow:
        attach()
    return flow.run()


def told_errors(log: Any, run_id: str) -> list[str]:
    return [line.message for line in log.log_lines(run_id) if line.level >= 40]


# -- the place for large content -------------------------------------------------------------------------------------------


def make_a_file(place: Path) -> str:
    place.write_text("in the way")
    return str(place)


def reach_nobody(place: Path) -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{gone.getsockname()[1]}"
    return "s3://kept/artifacts"


def name_no_bucket(place: Path) -> str:
    return "s3://not-made/artifacts"


@pytest.mark.parametrize("break_it", [make_a_file, reach_nobody, name_no_bucket], ids=lambda one: one.__name__)
def test_a_place_that_takes_nothing_costs_that_artifact_alone(
    break_it: Callable[[Path], str], bucket: str, disk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"])  # is put back afterwards
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", break_it(tmp_path / "place"))

    state = run_attaching()

    run_id = state.context["flow_run_id"]
    assert state.is_successful()
    assert [row.key for row in disk.artifacts(run_id)] == ["small", "after"]
    (told,) = told_errors(disk, run_id)
    assert told.startswith("An artifact is not kept: Results in ")
    assert "cannot be written: " in told
    assert "\n" not in told


def test_content_that_was_removed_by_hand_is_told_and_the_rest_is_there(disk: Any, tmp_path: Path) -> None:
    run_id = run_attaching().context["flow_run_id"]
    shutil.rmtree(tmp_path / "store" / "blobs")
    rows = {row.key: row for row in disk.artifacts(run_id)}

    with pytest.raises(StoreError, match="is not in .* any more"):
        content_of(disk, rows["large"])

    assert content_of(disk, rows["after"]) == b"after"


def test_content_that_was_changed_is_never_shown(disk: Any, tmp_path: Path) -> None:
    run_id = run_attaching().context["flow_run_id"]
    (file,) = [path for path in (tmp_path / "store" / "blobs").rglob("*") if path.is_file()]
    file.write_bytes(b"\x01" * len(LARGE))

    with pytest.raises(StoreError, match="is damaged"):
        content_of(disk, next(row for row in disk.artifacts(run_id) if row.key == "large"))


@pytest.mark.parametrize("step", ["mkdir", "mkstemp", "write", "fsync", "replace", "sync_folder"])
def test_whichever_step_of_writing_fails_nothing_half_written_is_there(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notebook_flows.store import blob_folder

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    blobs = BlobFolder(tmp_path / "blobs")
    name = "ab" * 32
    if step in {"fsync", "replace"}:
        monkeypatch.setattr(os, step, fails)
    elif step == "sync_folder":
        monkeypatch.setattr(blob_folder, "sync_folder", fails)
    elif step == "mkstemp":
        monkeypatch.setattr(blob_folder.tempfile, "mkstemp", fails)
    elif step == "mkdir":
        monkeypatch.setattr(blob_folder, "make_private_folder", fails)
    else:
        monkeypatch.setattr(os, "fdopen", lambda descriptor, mode: _Full(descriptor))

    with pytest.raises(StoreUnavailable, match="cannot be written: No space left on device"):
        blobs.put(name, LARGE)
    monkeypatch.undo()

    assert blobs.size_of(name) in {None, len(LARGE)}
    assert [one.size_bytes for one in blobs.all()] in ([], [len(LARGE)])
    assert not list((tmp_path / "blobs").rglob(".writing-*"))
    blobs.put(name, LARGE)
    assert blobs.get(name) == LARGE


class _Full:
    """A file on a disk that is full after half of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def write(self, content: bytes) -> None:
        os.write(self._descriptor, content[: len(content) // 2])
        raise OSError(28, "No space left on device")


SMALL_DISK = """
import sys
from pathlib import Path
from notebook_flows.errors import StoreError
from notebook_flows.store.blob_folder import BlobFolder

blobs = BlobFolder(Path(sys.argv[1]) / "blobs")
kept, refused = 0, ""
for number in range(1000):
    name = f"{number:064x}"
    try:
        blobs.put(name, b"x" * 60_000)
    except StoreError as error:
        refused = f"{type(error).__name__}: {error}"
        break
    kept += 1
print(kept, sorted(one.size_bytes for one in blobs.all()) == [60_000] * kept, refused)
"""


def test_a_disk_that_is_really_full_has_whole_content_or_none(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this machine does not let us make a mount namespace (unshare -Urm)")
    disk, script = tmp_path / "small", tmp_path / "script.py"
    disk.mkdir()
    script.write_text(SMALL_DISK)

    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-ec", f"mount -t tmpfs -o size=1m none {disk}; {sys.executable} {script} {disk}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    if "mount:" in done.stderr:
        pytest.skip(f"this machine refuses the mount: {done.stderr.strip()}")
    kept, is_whole, refused = done.stdout.strip().split(" ", 2)
    assert 10 <= int(kept) <= 17
    assert is_whole == "True"
    assert refused == f"StoreUnavailable: Results in {disk}/blobs cannot be written: No space left on device."


# -- the history -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_in_the_middle_costs_no_artifact(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = server.fresh_url()
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", url)
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", str(tmp_path / "blobs"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))

    @task
    def before_and_after():
        artifact("before", "before")
        server.kill()
        artifact("while it was away", "meanwhile")
        server.start()
        artifact("after", "after")

    with Flow("killed") as flow:
        before_and_after()

    state = flow.run()

    log = event_log()
    assert state.is_successful()
    kept = {row.key: content_of(log, row) for row in log.artifacts(state.context["flow_run_id"])}
    assert kept == {"before": b"before", "meanwhile": b"while it was away", "after": b"after"}
    assert log.check() == []
    stored_log(url).close()
    stored_log.cache_clear()


KILLED = """
import os, signal
from notebook_flows import Flow, artifact, task
from notebook_flows.workspace import event_log

@task
def dies():
    for number in range(5):
        artifact(f"text {number}", f"text {number}")
    artifact(b"z" * 100_000, "large", name="z.bin")
    print("attached", flush=True)
    import time
    while True:  # until the history has it; then the end
        log = event_log()
        runs = log.runs()
        if runs and len(log.artifacts(runs[0].run_id)) == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)

with Flow("killed") as flow:
    dies()
flow.run(executor="threads:1")
"""


def test_what_was_committed_survives_the_process(disk: Any, tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)

    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    (row,) = disk.runs()
    assert row.state is S.CRASHED
    kept = {one.key: content_of(disk, one) for one in disk.artifacts(row.run_id)}
    assert kept == {**{f"text {n}": f"text {n}".encode() for n in range(5)}, "large": b"z" * 100_000}
    assert disk.check() == []


def test_a_task_whose_worker_dies_keeps_what_it_attached_before(disk: Any) -> None:
    @task
    def dies():
        artifact([{"row": 1}], "last words")
        os._exit(3)

    with Flow("dies") as flow:
        dies()

    state = flow.run(executor="processes:1")

    assert [row.key for row in disk.artifacts(state.context["flow_run_id"])] == ["last words"]


# -- too much, and from the wrong place ----------------------------------------------------------------------------------


def test_a_task_that_never_stops_attaching_is_cut_off_and_told(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows.engine import attachments

    monkeypatch.setattr(attachments, "MOST", 20)

    @task
    def floods():
        for number in range(50):
            artifact(f"text {number}")

    with Flow("floods") as flow:
        floods()

    run_id = flow.run().context["flow_run_id"]

    assert len(disk.artifacts(run_id)) == 20
    warnings = [line.message for line in disk.log_lines(run_id) if line.level == 30]
    assert warnings == ["A task run keeps 20 artifacts; further ones are dropped."]


def test_what_comes_after_the_run_has_ended_harms_nothing(disk: Any) -> None:
    import threading

    goes_on, has_gone_on = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    @task
    def leaves_a_thread():
        from contextvars import copy_context

        def late() -> None:
            goes_on.wait(30)
            try:
                artifact("late")
            except BaseException as error:  # asserted on below
                raised.append(error)
            has_gone_on.set()

        threading.Thread(target=copy_context().run, args=(late,), daemon=True).start()

    with Flow("leaves a thread") as flow:
        leaves_a_thread()
    run_id = flow.run().context["flow_run_id"]

    goes_on.set()
    has_gone_on.wait(30)

    assert raised == []
    assert disk.artifacts(run_id) == []
    assert disk.check() == []


def test_a_log_record_that_looks_like_an_artifact_is_none(disk: Any) -> None:
    import logging

    @task
    def logs():
        logging.getLogger("artifact").warning(json.dumps([{"kind": "table", "key": "forged"}, None]))

    with Flow("logs") as flow:
        logs()

    assert disk.artifacts(flow.run().context["flow_run_id"]) == []
