"""Cells attach as functions do: by hand, in `%flow run`, and headlessly, wherever the cell runs."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from click.testing import CliRunner
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from notebook_flows import Secret, load_ipython_extension, unload_ipython_extension
from notebook_flows.cli.app import app
from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook
from notebook_flows.session.session import session_of
from notebook_flows.workspace.attachments import content_of
from notebook_flows.workspace.earlier import artifacts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary-51b2"


def written(folder: Path, *cells: str | tuple[str, list[str]]) -> Path:
    pairs = [(cell, []) if isinstance(cell, str) else cell for cell in cells]
    notebook = new_notebook(cells=[new_code_cell(source, metadata={"tags": tags}) for source, tags in pairs])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "work.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_every_cell_of_a_headless_run_attaches_to_its_own_node(disk: Any, here: Path) -> None:
    path = written(
        here,
        "%load_ext notebook_flows",
        "from notebook_flows import artifact\nartifact('of an ordinary cell', 'plain')",
        "%%task a --executor threads\nartifact([{'v': 1}], 'rows')\nprint('seen')",
        "%%task b --executor processes\nartifact(b'z' * 300_000, 'large', name='z.bin')",
        "%%task c\nimport threading\nt = threading.Thread(target=lambda: artifact('x', 'of a thread'))\nt.start()\nt.join()",
        "%%task d\nasync def go(): artifact('x', 'awaited')\nawait go()",
    )

    done = run_notebook(path)

    assert done.state is S.SUCCESS
    rows = {row.key: row for row in disk.artifacts(done.run_id)}
    names = disk.read(done.run_id, limit=1)[0].data["graph"]["names"]
    assert {key: names[row.node].split()[0] for key, row in rows.items()} == {
        "plain": "2", "rows": "a", "large": "b", "of a thread": "c", "awaited": "d",
    }  # fmt: skip
    assert content_of(disk, rows["large"]) == b"z" * 300_000
    saved = done.output_path.read_text()
    assert "vnd.notebook_flows" not in saved
    assert "seen" in saved
    assert not list((here / "tmp").glob("notebook_flows-attached-*"))


def test_a_cached_cell_shows_what_it_attached_even_if_it_stands_elsewhere_now(disk: Any, here: Path) -> None:
    cells = [
        "%load_ext notebook_flows",
        "from notebook_flows import artifact",
        "%%task a --cache\nartifact([{'v': 1}], 'rows')\nx = 1",
        "%%task b\nartifact('b', 'text')",
    ]
    first = run_notebook(written(here, *cells))

    again = run_notebook(written(here, *cells[:2], "y = 2", *cells[2:]))

    assert [(one.slug, one.key, one.from_run) for one in artifacts_of(disk, again.run_id)] == [
        ("cell-5", "text", ""),
        ("cell-4", "rows", first.run_id),
    ]


def test_a_report_lists_what_was_attached(disk: Any, here: Path) -> None:
    path = written(
        here,
        "%load_ext notebook_flows",
        "from notebook_flows import artifact",
        "%%task a --cache\nartifact([{'v': '<b>1</b>'}], 'rows', title='<i>Rows')\nartifact(b'%PDF', name='r<\".pdf')",
        "%%task b\nartifact(b'z' * 6_000_000, 'large', name='z.bin')\nartifact('**bold** <script>alert(1)</script>')\nprint('</body>')",
    )
    CliRunner().invoke(app, ["run", str(path), "--html", "first.html"])
    first = disk.runs(limit=1)[0].run_id

    done = CliRunner().invoke(app, ["run", str(path), "--html", "page.html"])

    assert done.exit_code == 0, done.output
    page = (here / "page.html").read_text()
    section = page[page.index('<div class="nbf-artifacts">') :]
    assert f"a: table &#x27;rows&#x27; (from run {first[:8]})" in section
    assert "<td>&lt;b&gt;1&lt;/b&gt;</td>" in section
    assert "<strong>&lt;i&gt;Rows</strong>" in section
    assert 'href="data:application/octet-stream;base64,JVBERg=="' in section
    assert "<strong>bold</strong> &lt;script&gt;" in section
    assert "<script>alert" not in section
    assert ", too large for this page: <code>notebook-flows artifacts " in section
    assert len(page) < 2_000_000
    assert section.rstrip().endswith("</div></body>\n</html>")


def test_a_notebook_without_task_cells_attaches_too_and_a_failing_cell_keeps_its_own(disk: Any, here: Path) -> None:
    path = written(here, "from notebook_flows import artifact\nartifact('before', 'kept')\n1 / 0")

    done = run_notebook(path)

    assert done.state is S.FAILED
    assert [(row.key, content_of(disk, row)) for row in disk.artifacts(done.run_id)] == [("kept", b"before")]


def test_secrets_of_a_headless_run_are_masked_or_the_artifact_is_dropped_and_that_is_told(
    disk: Any, here: Path
) -> None:
    path = written(
        here,
        ("from notebook_flows import Secret\npassword: Secret = None", ["parameters"]),
        "from notebook_flows import artifact\nvalue = password.get()",
        "artifact(f'it is {value}', title=value)\nartifact(value.encode() + b'-' * 70_000, 'large', name='a.txt')",
        "artifact(b'\\xff' + value.encode(), 'bytes', name='a.bin')",
    )

    done = run_notebook(path, parameters={"password": Secret(CANARY)})

    assert done.state is S.SUCCESS
    disk.close()
    files = [one for one in here.rglob("*") if one.is_file() and "ipython" not in one.parts]
    assert not [one for one in files if CANARY.encode() in one.read_bytes()]
    rows = {row.key: row for row in disk.artifacts(done.run_id)}
    assert (rows["markdown"].title, content_of(disk, rows["markdown"])) == ("***", b"it is ***")
    assert content_of(disk, rows["large"]).startswith(b"***-")
    assert "bytes" not in rows
    (told,) = [line.message for line in disk.log_lines(done.run_id) if line.level == 40]
    assert told.startswith("An artifact is not kept: What was attached has the value of a secret parameter in it")


def test_without_a_history_nothing_is_kept_nor_left_behind(disk: Any, here: Path) -> None:
    path = written(here, "from notebook_flows import artifact\nartifact(b'z' * 300_000, name='z.bin')")

    done = run_notebook(path, history=False)

    assert done.state is S.SUCCESS
    assert "vnd.notebook_flows" not in done.output_path.read_text()
    assert not list((here / "tmp").glob("notebook_flows-attached-*"))
    assert disk.runs() == []


def test_a_kernel_that_a_cell_starts_is_nobodys_and_shows_nothing(disk: Any, here: Path) -> None:
    inner = new_notebook(cells=[new_code_cell("from notebook_flows import artifact\nartifact('x')\nprint('inner')")])
    inner.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(inner, here / "inner.ipynb")
    path = written(
        here,
        "import nbformat, nbclient\n"
        "inner = nbformat.read('inner.ipynb', 4)\n"
        "nbclient.NotebookClient(inner).execute()\n"
        "print(inner.cells[0].outputs)",
    )

    done = run_notebook(path)

    assert done.state is S.SUCCESS, done.error
    (output,) = nbformat.read(done.output_path, 4).cells[0].outputs
    assert "inner" in output.text
    assert "vnd.notebook_flows" not in output.text
    assert disk.artifacts(done.run_id) == []


# -- by hand -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(disk: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("COLUMNS", "120")
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    load_ipython_extension(shell)
    shell.run_cell("from notebook_flows import artifact")
    yield shell
    session_of(shell).hand_runs.wait(30)
    unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


def test_a_task_cell_by_hand_attaches_to_its_own_run(shell: Any, disk: Any) -> None:
    shell.run_cell("%%task load\nartifact([{'a': 1}], title='Rows')\nartifact([{'a': 2}])", store_history=True)

    session_of(shell).hand_runs.wait(30)
    (run,) = disk.runs()
    assert run.state is S.SUCCESS
    assert [(row.key, row.title) for row in disk.artifacts(run.run_id)] == [("table", "Rows"), ("table-2", "")]
    assert json.loads(content_of(disk, disk.artifacts(run.run_id)[1]))["rows"] == [[2]]
    assert disk.check() == []


def test_an_ordinary_cell_by_hand_attaches_to_nothing_and_goes_on(shell: Any, disk: Any) -> None:
    done = shell.run_cell("artifact('x')\nwent_on = True", store_history=True)

    assert done.success
    assert shell.user_ns["went_on"]
    assert disk.runs() == []


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_flow_artifacts_shows_those_of_the_last_run(
    shell: Any, disk: Any, capsys: pytest.CaptureFixture[str], executor: str
) -> None:
    shell.run_cell("%%task load\nartifact([{'a': 1}], 'rows', title='Rows')", store_history=True)
    shell.run_cell("%%task other\n1", store_history=True)
    shell.run_cell(f"%flow run --all -x {executor}", store_history=True)
    capsys.readouterr()

    shell.run_cell("%flow artifacts")
    every = capsys.readouterr().out
    shell.run_cell("%flow artifacts other")
    none = capsys.readouterr().out
    shell.run_cell("%flow result load")
    result = capsys.readouterr().out

    assert every == "load: table 'rows'\nRows\na\n-\n1\n"
    assert none == "Task 'other' has attached nothing.\n"
    assert "attached table 'rows': Rows (1 row, 1 column); `%flow artifacts` shows it" in result
