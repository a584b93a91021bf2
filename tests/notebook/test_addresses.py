"""Notebooks in and out of S3: by our command, by papermill's, and what is said when that cannot be."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import nbformat
import pytest
from click.testing import CliRunner

from notebook_flows import s3 as asked
from notebook_flows.cli.app import app
from notebook_flows.core.lifecycle import S
from notebook_flows.notebook import addresses
from notebook_flows.notebook.errors import NotebookError, NotebookNotFound, OutputError
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

CELLS = (("region: str = 'south'", ["parameters"]), "print('in', region)")


@pytest.fixture
def s3(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a server with an empty bucket ``books``."""
    assert aws
    monkeypatch.setenv("COLUMNS", "200")
    client = boto3.client("s3")
    client.create_bucket(Bucket="books")
    return client


@pytest.fixture
def put(s3: Any, write: Callable[..., Path]) -> Callable[..., str]:
    """Puts a notebook into the bucket."""

    def done(*cells: Any, key: str = "in/work.ipynb") -> str:
        path = write(*(cells or CELLS))
        s3.put_object(Bucket="books", Key=key, Body=path.read_bytes())
        path.unlink()
        return f"s3://books/{key}"

    return done


def keys(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="books").get("Contents", ())]


def content(s3: Any, key: str) -> Any:
    return nbformat.reads(s3.get_object(Bucket="books", Key=key)["Body"].read().decode(), 4)


def text_of(notebook: Any) -> str:
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output


def test_a_notebook_runs_from_a_bucket_into_a_bucket(s3: Any, put: Any, tmp_path: Path) -> None:
    source = put()

    output = said("run", source, "-o", "s3://books/out/done.ipynb", "-p", "region=north")

    assert "Output   s3://books/out/done.ipynb" in output
    assert "notebook_flows-staging" not in output
    done = content(s3, "out/done.ipynb")
    assert text_of(done) == "in north\n"
    assert done.metadata.papermill.input_path == source
    assert done.metadata.papermill.output_path == "s3://books/out/done.ipynb"
    assert not list(tmp_path.glob("*.ipynb"))


def test_without_an_output_it_comes_here_and_the_code_runs_here(s3: Any, put: Any, tmp_path: Path) -> None:
    source = put("import os\nprint(os.getcwd())")

    said("run", source)

    done = nbformat.read(tmp_path / "work-output.ipynb", 4)
    assert text_of(done) == f"{tmp_path}\n"


def test_a_grid_and_its_pages_go_into_a_bucket(s3: Any, put: Any) -> None:
    source = put()

    output = said(
        "run",
        source,
        "--grid",
        "region=north,east",
        "-o",
        "s3://books/{region}/r.ipynb",
        "--html",
        "s3://books/pages/{region}.html",
    )

    assert keys(s3) == ["east/r.ipynb", "in/work.ipynb", "north/r.ipynb", "pages/east.html", "pages/north.html"]
    assert text_of(content(s3, "east/r.ipynb")) == "in east\n"
    assert "s3://books/north/r.ipynb" in output
    assert s3.head_object(Bucket="books", Key="pages/east.html")["ContentType"] == "text/html"


def test_a_local_notebook_goes_to_a_folder_in_a_bucket(s3: Any, write: Any) -> None:
    said("run", str(write(*CELLS)), "-o", "s3://books/into this/")

    assert keys(s3) == ["into this/work-output.ipynb"]


def test_parameters_and_problems_are_told_of_an_address(s3: Any, put: Any) -> None:
    source = put()

    assert "region" in said("params", source)
    assert f"Notebook '{source}' cannot run with these parameters" in said("run", source, "-p", "regoin=x", code=2)


@pytest.mark.parametrize("command", ["validate", "show", "explain", "params"])
def test_what_only_looks_takes_an_address_too(command: str, s3: Any, put: Any) -> None:
    source = put(CELLS[0], "%%task total\ntotal = len(region)")

    output = said(command, source)

    assert "staging" not in output
    assert "region" in output or "total" in output or "valid" in output


def test_a_notebook_task_takes_addresses(s3: Any, put: Any) -> None:
    from notebook_flows import Flow, notebook_task

    source = put(CELLS[0], "from notebook_flows import return_value\nreturn_value(region.upper())")
    with Flow("around") as flow:
        upper = notebook_task(source, parameters={"region": "west"}, output="s3://books/task/{region}.ipynb")()

    state = flow.run()

    assert state.is_successful(), state.result[upper].message
    assert state.result[upper].result.value == "WEST"
    assert "task/west.ipynb" in keys(s3)


def test_a_failing_cell_is_told_and_what_there_is_is_sent(s3: Any, put: Any) -> None:
    source = put("print('before')\n1 / 0")

    output = said("run", source, "-o", "s3://books/failed.ipynb", code=1)

    assert "ZeroDivisionError" in output
    assert text_of(content(s3, "failed.ipynb")).startswith("before\n")


def test_while_it_runs_it_is_sent_now_and_then(
    s3: Any, put: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(addresses, "SEND_EVERY_S", 0.05)
    monkeypatch.setattr(addresses.SendingSaver.__init__, "__kwdefaults__", {"every_s": 0.05})
    monkeypatch.setattr(addresses, "REST_FACTOR", 0)
    gate = tmp_path / "gate"
    source = put(
        "print('first')", f"import time, pathlib\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)"
    )
    done: list[Any] = []
    runs = threading.Thread(target=lambda: done.append(run_notebook(source, output="s3://books/live.ipynb")))
    runs.start()

    try:
        seen = ""
        for _ in range(3_000):
            if "live.ipynb" in keys(s3) and "first" in (seen := text_of(content(s3, "live.ipynb"))):
                break
            threading.Event().wait(0.01)
    finally:
        gate.touch()
        runs.join(60)

    assert "first" in seen
    assert done[0].state is S.SUCCESS
    assert content(s3, "live.ipynb").metadata.papermill.end_time


def test_the_same_by_papermill_with_our_engine(s3: Any, put: Any, tmp_path: Path) -> None:
    source = put()

    done = subprocess.run(
        [sys.executable, "-m", "papermill", "--engine", "notebook_flows", source, "s3://books/pm.ipynb", "-p", "region", "west",
         "--no-progress-bar"],
        capture_output=True, text=True, check=False, timeout=100, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert text_of(content(s3, "pm.ipynb")) == "in west\n"
    assert {cell.metadata.papermill.status for cell in content(s3, "pm.ipynb").cells} == {"completed"}


# -- what can be wrong -------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_told_before_anything_runs(s3: Any, put: Any) -> None:
    source = put()

    assert "Notebook 's3://books/nothing.ipynb' does not exist." in said("run", "s3://books/nothing.ipynb", code=2)
    assert "there is no bucket 'nowhere'" in said("run", "s3://nowhere/in.ipynb", code=2)
    told = said("run", source, "-o", "s3://nowhere/out.ipynb", code=2)
    assert "The output notebook 's3://nowhere/out.ipynb' cannot be written: there is no bucket 'nowhere'." in told
    assert "is the input as well" in said("run", source, "-o", source, code=2)
    assert "only notebooks" in said("run", "s3://books/flow.py", code=2) or "are notebooks" in said(
        "run", "s3://books/flow.py", code=2
    )


@pytest.mark.parametrize(
    "address", ["s3://books/../x.ipynb", "s3://", "s3://books/script.py", "s3://books/x/./y.ipynb"]
)
def test_an_output_that_would_be_odd_is_refused(s3: Any, put: Any, address: str) -> None:
    source = put()

    assert "The output notebook" in said("run", source, "-o", address, code=2)
    assert keys(s3) == ["in/work.ipynb"]


def test_credentials_that_are_missing_or_wrong_are_told(s3: Any, put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(
        NotebookError, match=r"cannot be read: access denied \(no credentials\)\. Check the AWS_\* settings\."
    ):
        addresses.read(source)

    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NotebookError, match=r"\(nobody\) could not be found\. Check AWS_PROFILE"):
        addresses.read(source)


def test_without_boto3_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(
        NotebookError, match=r"s3://books/in\.ipynb needs boto3, .* pip install 'notebook-flows\[s3\]'\.$"
    ):
        addresses.read("s3://books/in.ipynb")


def test_a_server_that_hangs_is_given_up(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        asked.client_for, "__kwdefaults__", {**asked.client_for.__kwdefaults__, "read_timeout_s": 0.2, "attempts": 1}
    )  # type: ignore[dict-item]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(NotebookError, match="cannot be read: the server does not answer"):
            addresses.read("s3://books/in.ipynb")
        with pytest.raises(OutputError, match="cannot be written: the server does not answer"):
            addresses.check_writable("s3://books/out.ipynb", None)


def test_a_server_that_is_not_there_is_told(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

    with pytest.raises(NotebookError, match="cannot be read: the server cannot be reached"):
        addresses.read("s3://books/in.ipynb")


def test_an_output_that_cannot_be_sent_at_the_end_fails_the_run_and_is_kept_here(
    s3: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket goes away while the notebook runs; the notebook itself takes it away."""
    s3.create_bucket(Bucket="short-lived")
    source = put("import boto3\nboto3.client('s3').delete_bucket(Bucket='short-lived')")

    done = run_notebook(source, output="s3://short-lived/out.ipynb")

    assert done.state is S.FAILED
    assert done.error is not None
    assert (
        "'s3://short-lived/out.ipynb' cannot be written: there is no bucket 'short-lived'. It is kept in /"
        in done.error
    )
    kept = done.error.rpartition(" ")[2].rstrip(".")
    assert json.loads(Path(kept).read_text())["cells"]
    addresses._staging.unsent.clear()


def test_what_is_not_there_derives_from_the_builtin_error(s3: Any) -> None:
    with pytest.raises(FileNotFoundError):
        run_notebook("s3://books/nothing.ipynb")
    with pytest.raises(NotebookNotFound):
        run_notebook("s3://books/nothing.ipynb")


def test_other_addresses_are_left_to_papermill(monkeypatch: pytest.MonkeyPatch, write: Any, tmp_path: Path) -> None:
    from papermill.iorw import papermill_io

    source = write(*CELLS).read_text()
    written: dict[str, str] = {}

    class Memory:
        @staticmethod
        def read(path: str) -> str:
            if path != "memory://in.ipynb":
                raise KeyError(path)
            return source

        @staticmethod
        def write(text: str, path: str) -> None:
            written[path] = text

    monkeypatch.setattr(papermill_io, "_handlers", [("memory://", Memory), *papermill_io._handlers])

    done = run_notebook("memory://in.ipynb", output="memory://out.ipynb")

    assert done.state is S.SUCCESS
    assert text_of(nbformat.reads(written["memory://out.ipynb"], 4)) == "in south\n"
    with pytest.raises(NotebookError, match="'memory://no.ipynb' cannot be read: KeyError"):
        run_notebook("memory://no.ipynb")
