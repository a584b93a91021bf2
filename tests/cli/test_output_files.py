"""Files that commands write: none takes the place of a pipe, a device or a history, and what fails names the file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from notebook_flows import workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Command = Callable[..., Result]
    Write = Callable[..., Path]


@pytest.fixture
def etl(nf: Command, write: Write) -> Path:
    """A flow that has run once."""
    path = write("etl.py")
    nf("run", path, "-q")
    return path


def through_pipe(path: Path, act: Callable[[], Result]) -> tuple[Result, bytes]:
    """What comes out at the other end of a pipe with a name."""
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    result = act()
    reader.join(30)
    assert stat.S_ISFIFO(path.stat().st_mode)
    return result, got[0]


def test_an_export_goes_through_a_pipe(nf: Command, etl: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"

    result, told = through_pipe(pipe, lambda: nf("store", "export", "-o", pipe))

    assert result.exit_code == 0
    assert told.startswith(b'{"type": "run"')


def test_pictures_go_through_pipes(nf: Command, etl: Path, tmp_path: Path) -> None:
    shown, run = tmp_path / "shown.dot", tmp_path / "run.dot"

    _, of_show = through_pipe(shown, lambda: nf("show", etl, "-o", shown))
    _, of_run = through_pipe(run, lambda: nf("run", etl, "-q", "--picture", run))

    assert of_show.startswith(b"digraph etl")
    assert of_run.startswith(b"digraph etl")


def test_a_page_does_not_take_the_place_of_a_pipe(nf: Command, write_notebook: Write, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)

    result = nf("run", write_notebook("n.ipynb", "1"), "--html", pipe)

    assert result.exit_code == 2
    assert f"--html {pipe} is no ordinary file" in result.stderr
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert not (tmp_path / "n-output.ipynb").exists()


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_an_export_does_not_take_the_place_of_the_history(
    ending: str, nf: Command, etl: Path, own_history: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(f"{own_history}{ending}")
    (run,) = workspace.event_log().runs()

    results = [nf("store", "export", "-o", name) for name in (f"{own_history}{ending}", "link")]

    for result in results:
        assert result.exit_code == 2
        assert "is a history, or belongs to one; name another file" in result.stderr
    assert workspace.event_log().run(run.run_id).flow == "etl"


def test_an_export_does_not_take_the_place_of_another_history(nf: Command, etl: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"SQLite format 3\0" + bytes(100))

    result = nf("store", "export", "-o", other)

    assert result.exit_code == 2
    assert other.read_bytes() == b"SQLite format 3\0" + bytes(100)


def test_what_a_link_leads_to_is_written(nf: Command, etl: Path, tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "real.svg")

    assert nf("show", etl, "-o", "link.svg").exit_code == 0
    assert nf("run", etl, "-q", "--picture", "link.svg").exit_code == 0

    assert (tmp_path / "link.svg").is_symlink()
    assert b"<svg" in (tmp_path / "real.svg").read_bytes()


def test_a_history_that_is_a_link_to_itself_is_told_by_an_export_too(
    nf: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "loop"))

    result = nf("store", "export", "-o", "out.jsonl")

    assert result.exit_code == 3
    assert "Too many levels of symbolic links" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [["show", "latest"], ["store", "export"]])
def test_a_full_disk_is_told_with_the_file(words: list[str], nf: Command, etl: Path) -> None:
    result = nf(*words, "-o", "/dev/full")

    assert (result.exit_code, result.stderr) == (2, "Error: /dev/full: No space left on device.\n")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_folder_that_is_not_there_is_told_by_the_name_that_was_given(nf: Command, etl: Path) -> None:
    result = nf("store", "export", "-o", "nowhere/export.jsonl")

    assert (result.exit_code, result.stderr) == (2, "Error: nowhere/export.jsonl: No such file or directory.\n")


@pytest.mark.parametrize(
    "words", [["show", "latest", "-o"], ["store", "export", "-o"], ["artifacts", "latest", "--save"]]
)
def test_no_name_is_no_file(words: list[str], nf: Command, etl: Path) -> None:
    result = nf(*words, "")

    assert result.exit_code == 2
    assert "'' names no " in result.stderr


def test_show_writes_each_format_that_the_name_of_the_file_tells(nf: Command, etl: Path, tmp_path: Path) -> None:
    for name, begin in (("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.gv", b"digraph"), ("a.txt", b"\xe2\x94\x94")):
        assert nf("show", etl, "-o", name).exit_code == 0
        content = (tmp_path / name).read_bytes()
        assert begin in content if name == "a.txt" else content.startswith(begin)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.svgg", "'svgg' is no format of pictures; there are svg, png, pdf and dot. Did you mean 'svg'?"),
        ("x.xyz", "'xyz' is no format of pictures; there are svg, png, pdf and dot. Or do you mean x.xyz.svg?"),
    ],
)
def test_an_ending_that_is_no_format_is_refused_before_anything_runs(
    name: str, words: str, nf: Command, write: Write, own_history: Path
) -> None:
    result = nf("run", write("etl.py"), "--picture", name)

    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert not own_history.exists()
