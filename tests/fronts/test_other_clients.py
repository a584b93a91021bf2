"""What VS Code and Colab send to a kernel, sent to a real one: no ids, or ids that are in no file, and cells of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from opened import OpenNotebook
from talking import PATIENCE_S, Kernel

if TYPE_CHECKING:
    from pathlib import Path

CELLS = {
    "load-it": "%load_ext notebook_flows",
    "helper": "def twice(a):\n    return 2 * a",
    "first": "%%task first\nx = twice(1)\nprint('first says', x)",
    "second": "%%task second\ny = x + 1\nprint('second says', y)",
}


class Client(OpenNotebook):
    """Sends what a front end sends besides the code.

    Args:
        metadata: of the request, for the cell of this id.
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        usual = kernel.client.session.msg

        def message(kind: str, content: Any = None, **more: Any) -> Any:
            cell = more.pop("metadata", {}).get("cellId")
            return usual(kind, content, metadata=self.metadata(cell) if cell else {}, **more)

        kernel.client.session.msg = message

    def metadata(self, cell: str) -> dict[str, Any]:
        raise NotImplementedError

    def run_all(self) -> None:
        for cell, source in CELLS.items():
            assert self.run(cell, source).status == "ok"

    def hidden(self, code: str) -> None:
        """Code of the front end's own."""
        client = self.kernel.client
        content = {
            "code": code, "silent": False, "store_history": False, "user_expressions": {},
            "allow_stdin": True, "stop_on_error": False,
        }  # fmt: skip
        message = client.session.msg("execute_request", content)
        client.shell_channel.send(message)
        assert client.get_shell_msg(timeout=PATIENCE_S)["content"]["status"] == "ok"


class Colab(Client):
    """Its requests name no cell."""

    def metadata(self, cell: str) -> dict[str, Any]:
        return {}


class VSCode(Client):
    """Cells have URIs that are in no file; the kernel is told the file by a variable."""

    def __init__(self, kernel: Kernel, path: Path) -> None:
        super().__init__(kernel)
        self.path = path
        self.hidden(f"__vsc_ipynb_file__ = {str(path)!r}")

    def metadata(self, cell: str) -> dict[str, Any]:
        place = list(CELLS).index(cell) if cell in CELLS else 10
        return {"cellId": f"vscode-notebook-cell:{self.path}#W{place}sZmlsZQ%3D%3D", "tags": []}


@pytest.fixture
def colab(kernel: Kernel) -> Client:
    return Colab(kernel)


@pytest.fixture
def vscode(kernel: Kernel, tmp_path: Path) -> Client:
    return VSCode(kernel, tmp_path / "work.ipynb")


@pytest.fixture(params=["colab", "vscode"])
def client(request: pytest.FixtureRequest) -> Client:
    return request.getfixturevalue(request.param)


def save(client: Client, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client.path.write_text(json.dumps(nbformat.v4.new_notebook(cells=cells)))


def test_outputs_of_a_run_come_with_the_request_that_has_run_the_cell_last(client: Client) -> None:
    client.run_all()

    result = client.run("run", "%flow run --all")

    assert "2 cells" in result.said
    assert client.shown("first") == [("stdout", "first says 2\n")]
    assert client.shown("second") == [("stdout", "second says 3\n")]


def test_a_cell_that_was_edited_takes_the_place_of_its_task(client: Client) -> None:
    client.run_all()

    client.run("first", "%%task first\nx = twice(10)\nprint('first says', x)")
    result = client.run("run", "%flow run")

    assert "second" in result.picture
    assert client.value("y") == "21"
    assert client.shown("second") == [("stdout", "second says 21\n")]


def test_what_the_front_end_runs_by_itself_is_no_cell(client: Client) -> None:
    client.run_all()
    client.hidden("import json as _json_of_the_front_end")

    said = client.run("ask", "%flow explain").said

    assert "_json_of_the_front_end" not in said


def test_in_vs_code_the_order_is_that_of_the_saved_file_though_its_ids_are_others(vscode: Client) -> None:
    vscode.run("load-it", CELLS["load-it"])
    vscode.run("second", "%%task second\ny = x + 1 if 'x' in globals() else 0\nprint('second says', y)")
    vscode.run("helper", CELLS["helper"])
    vscode.run("first", CELLS["first"])
    vscode.run("second", CELLS["second"])
    save(vscode, *CELLS.values())

    said = vscode.run("ask", "%flow status").said

    assert "first execution" not in said
    assert said.index("first") < said.index("second")


def test_a_tag_in_vs_code_makes_a_task(vscode: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    vscode.run("load-it", CELLS["load-it"])
    usual = vscode.metadata
    monkeypatch.setattr(vscode, "metadata", lambda cell: {**usual(cell), "tags": ["task:tagged"]})
    vscode.run("first", "z = 1")
    monkeypatch.setattr(vscode, "metadata", usual)

    said = vscode.run("ask", "%flow status").said

    assert "tagged" in said
