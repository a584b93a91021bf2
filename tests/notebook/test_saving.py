"""The output notebook is whole at any moment, whatever happens to the disk, and says what is true."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook import streams
from notebook_flows.notebook.document import CellEnd, Document
from notebook_flows.notebook.errors import OutputError
from notebook_flows.notebook.saving import Saver, checked_output, clear_leftovers, write_whole
from notebook_flows.notebook.streams import Lines, Streams
from notebook_flows.running import output_path_for

if TYPE_CHECKING:
    from pathlib import Path

BEGIN_US, END_US = 1_700_000_000_000_000, 1_700_000_002_500_000


def document_of(*sources: str) -> Document:
    cells = [new_markdown_cell("# A title"), *map(new_code_cell, sources), new_markdown_cell("the end")]
    for cell in cells:
        cell.metadata["tags"] = []
    made = Document(new_notebook(cells=cells), input_path="in.ipynb", output_path="out.ipynb", parameters={"n": 1})
    made.begin(BEGIN_US)
    return made


def statuses(document: Document) -> list[str]:
    return [cell.metadata.get("papermill", {}).get("status", "marker") for cell in document.notebook.cells]


def test_a_good_run_is_completed_in_papermills_words() -> None:
    document = document_of("1", "", "2")
    ends = [CellEnd(state=S.SUCCESS, began_us=BEGIN_US, ended_us=END_US)] * 2
    for place in document.nodes:
        document.cell_began(place, BEGIN_US)
        document.cell_ended(place, S.SUCCESS, BEGIN_US, END_US)

    document.finish(ends, END_US, "")

    assert statuses(document) == ["completed"] * 5
    facts = document.notebook.metadata["papermill"]
    assert (facts["exception"], facts["duration"], facts["parameters"]) == (None, 2.5, {"n": 1})
    assert document.notebook.cells[1].metadata["papermill"] == {
        "exception": False,
        "start_time": "2023-11-14T22:13:20.000000+00:00",
        "end_time": "2023-11-14T22:13:22.500000+00:00",
        "duration": 2.5,
        "status": "completed",
    }


@pytest.mark.parametrize("state", [S.FAILED, S.CRASHED, S.TIMED_OUT, S.CANCELLED])
def test_where_a_run_stopped_is_failed_and_what_did_not_run_is_pending(state: S) -> None:
    document = document_of("1", "2", "3")
    ends = [CellEnd(state=S.SUCCESS), CellEnd(state=state, began_us=BEGIN_US), CellEnd(state=S.NOT_RUN)]

    document.finish(ends, END_US, "The kernel died <b>here</b>.")

    assert statuses(document) == ["marker", "completed", "completed", "marker", "failed", "pending", "pending"]
    assert document.notebook.metadata["papermill"]["exception"] is True
    assert "The kernel died &lt;b&gt;here&lt;/b&gt;." in document.notebook.cells[0].source
    assert 'id="papermill-error-cell"' in document.notebook.cells[3].source


def test_skipped_cells_are_never_called_completed() -> None:
    document = document_of("1", "2")

    document.finish([CellEnd(state=S.SUCCESS), CellEnd(state=S.SKIPPED)], END_US, "")

    assert statuses(document) == ["completed", "completed", "pending", "completed"]


def test_only_changed_cells_are_encoded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows.notebook import document as module

    encoded: list[str] = []
    real = module.encoded_cell
    monkeypatch.setattr(module, "encoded_cell", lambda cell: encoded.append(cell.source) or real(cell))
    document = document_of(*map(str, range(50)))
    document.pieces()
    encoded.clear()

    document.cell_began(7, BEGIN_US)
    document.pieces()

    assert sorted(encoded) == ["# A title", "6"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.ipynb"
    path.write_text("old")

    def broken() -> Any:
        yield b"new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_whole(path, broken())

    assert [one.name for one in tmp_path.iterdir()] == ["out.ipynb"]
    assert path.read_text() == "old"


def test_the_mode_of_the_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.ipynb"
    path.touch(mode=0o640)
    path.chmod(0o640)

    write_whole(path, [b"new"])

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_what_killed_processes_have_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "out.ipynb"
    write_whole(path, [b"x"])
    from notebook_flows.notebook.saving import _aside

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid in (ended.pid, os.getpid()):
        _aside(path, pid).touch()

    clear_leftovers(path)

    assert {one.name for one in tmp_path.iterdir()} == {"out.ipynb", _aside(path, os.getpid()).name}


FULL_DISK = """
mount -t tmpfs -o size=64k tmpfs {folder} || exit 77
exec {python} - <<'CODE'
from pathlib import Path
from notebook_flows.notebook.errors import OutputError
from notebook_flows.notebook.saving import write_whole
path = Path({folder!r}) / "out.ipynb"
write_whole(path, [b"old" * 1000])
try:
    write_whole(path, [b"new" * 1_000_000])
except OutputError as error:
    print(error)
assert path.read_bytes() == b"old" * 1000
assert [one.name for one in Path({folder!r}).iterdir()] == ["out.ipynb"]
CODE
"""


def test_a_disk_that_is_really_full_leaves_the_old_file_whole(tmp_path: Path) -> None:
    script = FULL_DISK.format(folder=str(tmp_path), python=sys.executable)

    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True, check=False)

    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets us mount nothing: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The output notebook '{tmp_path}/out.ipynb' cannot be written: No space left on device.\n"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("nowhere/out.ipynb", "cannot be written: the folder"),
        ("work.ipynb", "is the input as well"),
        ("link.ipynb", "is the input as well"),
        ("/dev/null", "is no ordinary file"),
        ("a\0b", "cannot be written: embedded null byte"),
        ("x" * 300, "cannot be written: File name too long"),
    ],
)
def test_outputs_that_cannot_be_are_told_before_anything_runs(
    tmp_path: Path, write: Any, output: str, reason: str
) -> None:
    path = write("1")
    (tmp_path / "link.ipynb").symlink_to(path)

    with pytest.raises(OutputError, match=reason):
        output_path_for(path, output)


def test_a_folder_as_output_gets_the_default_name(tmp_path: Path, write: Any) -> None:
    assert output_path_for(write("1"), tmp_path).name == "work-output.ipynb"
    assert checked_output(tmp_path / "new.ipynb", None) == tmp_path / "new.ipynb"


def test_a_saver_saves_what_changed_and_its_last_word_is_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "out.ipynb"
    saved = threading.Event()
    words = [b"first"]

    def pieces() -> list[bytes]:
        if words[-1] == b"second":
            saved.set()
        return [words[-1]]

    saver = Saver(path, pieces)
    saver.start()
    assert path.read_bytes() == b"first"
    words.append(b"second")
    saver.touch()
    assert saved.wait(10)
    words.append(b"third")

    saver.finish()

    assert path.read_bytes() == b"third"


# -- printed text ------------------------------------------------------------------------------------------------------


def test_a_flood_is_cut_with_a_note_and_all_of_it_is_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TEXT_LIMIT", 100)
    monkeypatch.setattr(streams, "TAIL", 20)
    outputs: list[Any] = []
    flood = Streams(outputs, tmp_path / "cell-1.log")
    printed = [f"line {number:04}\n" for number in range(1000)]

    for line in printed:
        flood.add("stdout", line)
    flood.end()

    assert len(outputs) == 1
    assert outputs[0].text.startswith("".join(printed)[:100])
    note = (
        "[notebook_flows: 0.0 MB more were printed; all of it is in cell-1.log. The end of it:]\nline 0998\nline 0999\n"
    )
    assert outputs[0].text.endswith(note)
    assert (tmp_path / "cell-1.log").read_text() == "".join(printed)


def test_streams_are_joined_while_they_follow_one_another() -> None:
    outputs: list[Any] = []
    printed = Streams(outputs, None)

    for name, text in [("stdout", "a"), ("stdout", "b\n"), ("stderr", "!"), ("stdout", "10%\r100%\n")]:
        printed.add(name, text)
    printed.end()

    assert [(one.name, one.text) for one in outputs] == [("stdout", "ab\n"), ("stderr", "!"), ("stdout", "100%\n")]


def test_the_history_gets_whole_lines_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HISTORY_LIMIT", 20)
    sent: list[Any] = []
    lines = Lines(sent.extend, node=3, attempt=1)

    for text in ["one\ntw", "o\n", "0 %\r9 %\n", "x" * 50]:
        lines.add("stdout", text)
    lines.add("stdout", "never\n")

    assert [line.message for line in sent[:3]] == ["one", "two", "9 %"]
    assert sent[-1].message.startswith("The cell prints more than is kept here")
    assert (sent[0].logger, sent[0].node, sent[0].attempt) == ("stdout", 3, 1)
