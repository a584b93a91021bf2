"""One notebook, run by hand and by every headless runner: the same outputs in the same cells, the same values."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOAD = "%load_ext notebook_flows"
SHOW = "print(sorted((name, repr(value)) for name, value in globals().items() if name in NAMES.split()))"

GLOBALS = [
    ("rate = 2", ["parameters"]),
    "def priced(n):\n    return n * rate",
    "%%task first\nprices = [priced(n) for n in range(3)]\nprices",
    "rate = 10",
    "%%task second\nmore = [priced(n) for n in range(3)]\nprint(more)",
    "def priced(n):\n    return -n * rate",
    "%%task third\nless = priced(1)\nless",
    "NAMES = 'rate prices more less'\n" + SHOW,
]
MUTATION = [
    "data = {'a': [1]}\nalias = data['a']",
    "%%task before\nsize = len(data['a'])",
    "%%task grows\nalias.append(2)",
    "%%task after\nsize_after = len(data['a'])\nx = 1",
    "%%task again\nx = size_after + 10",
    "%%task deletes\ntmp = 5\nkept = tmp\ndel tmp",
    "data['b'] = x",
    "%%task last\ntotal = sum(data['a']) + data['b']",
    "NAMES = 'data alias size size_after x kept total tmp'\n" + SHOW,
]
MAGICS = [
    "import asyncio",
    "%%task waits\nawait asyncio.sleep(0)\nwaited = await asyncio.sleep(0, 'slept')\nwaited",
    "%%task shell\nfound = !echo {waited}\nfound = list(found)\n!echo out",
    "%%task loops --retries 1\nimport random\ntotal = 0\nfor i in range(5):\n    total += i\nprint(total)",
    "%%task counts\n%env NBFLOWS_PARITY=yes\nimport os\nenvironment = os.environ['NBFLOWS_PARITY']",
    "# %%task commented\nglobal_text = 'g'\ndef late():\n    return unbound_yet\n",
    "%%task binds_late\nunbound_yet = 7",
    "%%task calls_late\ncalled = late()",
    ("tagged = called + 1\ntagged", ["task:tagged"]),
    "class Box:\n    def __init__(self, n): self.n = n\n    def __repr__(self): return f'Box({self.n}, {called})'",
    "%%task boxes\nbox = Box(3)\nbox",
    "_ = 5\nNAMES = 'waited found total i environment global_text unbound_yet called tagged box'\n" + SHOW,
]
NOTEBOOK = [LOAD, *GLOBALS, *MUTATION, *MAGICS]


def by_hand(path: Path, output: Path) -> None:
    """Restart the kernel and run all cells."""
    notebook = nbformat.read(path, 4)
    manager, client = start_new_kernel(cwd=str(path.parent))
    try:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
                reply = client.execute_interactive(
                    cell.source,
                    output_hook=lambda message, outputs=cell.outputs: _keep(message, outputs),
                    timeout=60,
                )
                cell.execution_count = reply["content"]["execution_count"]
                assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    nbformat.write(notebook, output)


def _keep(message: Any, outputs: list[Any]) -> None:
    if message["msg_type"] in {"stream", "display_data", "execute_result", "error"}:
        outputs.append(nbformat.v4.output_from_msg(message))


def by_us(path: Path, output: Path) -> None:
    done = run_notebook(path, output=output)
    assert done.is_successful, done.error


def by_nbclient(path: Path, output: Path) -> None:
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(notebook, output)


def by_command(*words: str) -> Callable[[Path, Path], None]:
    def run(path: Path, output: Path) -> None:
        places = {"IN": str(path), "OUT": str(output), "OUT_NAME": output.name}
        command = [sys.executable, "-m", *(places.get(word, word) for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


RUNNERS: dict[str, Callable[[Path, Path], None]] = {
    "notebook_flows": by_us,
    "papermill --engine": by_command("papermill", "--engine", "notebook_flows", "IN", "OUT"),
    "papermill": by_command("papermill", "IN", "OUT"),
    "nbconvert": by_command("nbconvert", "--to", "notebook", "--execute", "IN", "--output", "OUT_NAME"),
    "nbclient": by_nbclient,
}


def shown(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """What each cell shows: its source, and (kind, text) of its outputs, text of one stream in one piece."""
    found = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code" or "notebook-flows-picture" in cell.metadata.get("tags", ()):
            continue
        texts: list[tuple[str, str]] = []
        for output in cell.outputs:
            kind = output.get("name") or output.output_type
            text = output.text if output.output_type == "stream" else str(output.get("data", {}).get("text/plain"))
            text = text.replace("\r\n", "\n")
            if texts and texts[-1][0] == kind == output.get("name"):
                texts[-1] = (kind, texts[-1][1] + text)
            else:
                texts.append((kind, text))
        found.append((cell.source.rstrip("\n"), texts))
    return found


def test_every_runner_shows_in_each_cell_what_running_by_hand_shows(write: Any, tmp_path: Path) -> None:
    path = write(*NOTEBOOK)
    by_hand(path, tmp_path / "hand.ipynb")
    expected = shown(tmp_path / "hand.ipynb")

    found = {}
    for number, (name, run) in enumerate(RUNNERS.items()):
        output = tmp_path / f"out-{number}.ipynb"
        run(path, output)
        found[name] = shown(output)

    assert found == dict.fromkeys(RUNNERS, expected)
    assert sum(bool(outputs) for _, outputs in expected) > 10


TAGS = [
    LOAD,
    ("n = 1", ["parameters"]),
    "%%task doubled\ntwice = 2 * n\ntwice",
    ("%%task may\nraise ValueError('as it may')", ["raises-exception"]),
    ("also = 1\n1 / 0", ["raises-exception"]),
    ("%%task never\nraise SystemExit('never')", ["skip-execution"]),
    ("also = raise_", ["skip-execution"]),
    "%%task waits\nimport asyncio\nlater = await asyncio.sleep(0, twice + 1)\nprint(later)",
    "NAMES = 'n twice later also'\n" + SHOW,
]


def test_tags_mean_what_they_mean_to_other_runners(write: Any, tmp_path: Path) -> None:
    """Papermill is not among them: whatever its engine, an exception that may be raised fails the notebook for it.

    What a task has bound before it raised is left to plain runners only: with us, a failed task changes no name.
    """
    path = write(*TAGS)
    found = {}

    for name in ("notebook_flows", "nbconvert", "nbclient"):
        RUNNERS[name](path, tmp_path / "out.ipynb")
        found[name] = shown(tmp_path / "out.ipynb")

    assert found == dict.fromkeys(found, found["nbclient"])
    kinds = [[kind for kind, _ in outputs] for _, outputs in found["nbclient"]]
    assert kinds == [[], [], ["execute_result"], ["error"], ["error"], [], [], ["stdout"], ["stdout"]]


def test_parameters_are_injected_as_papermill_does(write: Any, tmp_path: Path) -> None:
    path = write(*GLOBALS[:1], LOAD, *GLOBALS[1:])
    by_command("papermill", "IN", "OUT", "-p", "rate", "3")(path, tmp_path / "theirs.ipynb")
    by_command("papermill", "--engine", "notebook_flows", "IN", "OUT", "-p", "rate", "3")(path, tmp_path / "both.ipynb")

    done = run_notebook(path, output=tmp_path / "ours.ipynb", parameters={"rate": "3"})

    assert done.is_successful, done.error
    expected = shown(tmp_path / "theirs.ipynb")
    assert shown(tmp_path / "ours.ipynb") == shown(tmp_path / "both.ipynb") == expected
    code = [cell for cell in nbformat.read(tmp_path / "ours.ipynb", 4).cells if cell.cell_type == "code"]
    assert [cell.metadata.tags for cell in code[:2]] == [["parameters"], ["injected-parameters"]]
    assert expected[1] == ("# Parameters\nrate = 3", [])


def test_the_notebook_passes_as_a_test(write: Any, tmp_path: Path) -> None:
    path = write(*NOTEBOOK)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "-p", "no:cacheprovider", "-q", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_failure_stands_in_the_same_cell_whoever_runs_it(write: Any, tmp_path: Path) -> None:
    path = write(LOAD, "%%task good\nx = 1", "%%task bad\n\ny = x / 0", "%%task needs\nz = y")

    done = run_notebook(path, output="ours.ipynb")
    subprocess.run(
        [sys.executable, "-m", "papermill", str(path), "theirs.ipynb"], capture_output=True, check=False, cwd=tmp_path
    )

    ours, theirs = (nbformat.read(tmp_path / name, 4) for name in ("ours.ipynb", "theirs.ipynb"))
    errors = [
        [(cell.source, output.ename, output.evalue) for output in cell.outputs if output.output_type == "error"]
        for notebook in (ours, theirs)
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.outputs
    ]
    assert [one for one in errors if one] == [
        [("%%task bad\n\ny = x / 0", "ZeroDivisionError", "division by zero")]
    ] * 2
    assert [cell.source for cell in ours.cells[:1]] == [cell.source for cell in theirs.cells[:1]]
    assert "----> 3 y = x / 0" in str(done.exception.traceback)  # type: ignore[union-attr]
