"""A cached cell that reads what its text does not tell is taken only while that is as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import write
from counted import counted
from shelves import Notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.fingerprints.watching import MOST_FILES
from notebook_flows.running import run_notebook
from notebook_flows.workspace import stored_log

if TYPE_CHECKING:
    from pathlib import Path

SETUP = (
    "from counting import count\nimport csv, pandas as pd\nfrom pathlib import Path\nfrom threading import Thread\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "config = {'in': {'csv': 'in.csv'}}\nfolder = 'data'\n"
    "def lines(name):\n    with open(name) as file: return file.read().split()"
)


def notebook(folder: Path, cell: str, setup: str = SETUP) -> Path:
    cells = {
        "ext": "%load_ext notebook_flows",
        "setup": setup,
        "read": f"%%task read --cache\ncount('read')\n{cell}",
        "show": "print(rows)",
    }
    return write(folder, cells)


def said(folder: Path, run_id: str) -> str:
    return "\n".join(line.message for line in stored_log(folder / "store" / "history.sqlite").log_lines(run_id))


@pytest.mark.parametrize(
    "cell",
    [
        "rows = list(pd.read_csv(config['in']['csv']).x)",
        "name = folder + '/' + ['in', 'out'][0] + '.csv'\nrows = Path(name).read_text()",
        "rows = [one.read_text() for one in sorted(Path(folder).resolve().glob('*.csv'))]",
        "rows = lines('/'.join([folder, 'in.csv']))",
        "with ThreadPoolExecutor() as pool: rows = list(pool.map(lines, [folder + '/in' + '.csv']))",
        "rows = []\nt = Thread(target=lambda: rows.extend(lines('/'.join([folder, 'in.csv']))))\nt.start()\nt.join()\ndel t",
        "import asyncio\nrows = await asyncio.to_thread(lines, folder + '/' + 'in.csv'.strip())",
    ],
)
def test_a_file_that_a_cell_has_read_is_part_of_what_it_is_found_by(folder: Path, cell: str) -> None:
    (folder / "data").mkdir()
    files = [folder / "in.csv", folder / "data" / "in.csv"]
    for file in files:
        file.write_text("x\n1\n")
    path = notebook(folder, cell)
    run_notebook(path)
    run_notebook(path)
    assert counted() == {"read": 1}
    for file in files:
        file.write_text("x\n2\n")

    run_notebook(path)
    again = run_notebook(path)

    assert counted() == {"read": 1}
    assert [one.state for one in again.cells if one.name.endswith("read")] == [S.CACHED]


@pytest.mark.parametrize("lane", ["threads", "processes"])
def test_files_are_seen_wherever_a_cell_runs(folder: Path, lane: str) -> None:
    (folder / "in.csv").write_text("x\n1\n")
    path = notebook(folder, "rows = Path(''.join(['in', '.csv'])).read_text()")
    path = write(
        folder,
        {
            "ext": "%load_ext notebook_flows",
            "setup": SETUP,
            "read": f"%%task read --cache --executor {lane}\ncount('read')\nrows = Path(''.join(['in', '.csv'])).read_text()",
        },
    )
    run_notebook(path)
    run_notebook(path)
    assert counted() == {"read": 1}
    (folder / "in.csv").write_text("x\n2\n")

    run = run_notebook(path)

    assert counted() == {"read": 1}
    assert "'in.csv', which it read then, is not what it was" in said(folder, run.run_id)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("x\n1\n")
    return tmp_path


def test_a_file_that_a_library_opens_by_itself_counts_if_a_value_names_it(here: Path) -> None:
    notebook, cells = (
        Notebook(here),
        ("import polars\nplaces = {'in': ['in.csv']}", "%%task --cache\nrows = polars.read_csv(places['in'][0])"),
    )
    notebook.run(*cells)
    assert notebook.run(*cells).was_taken
    (here / "in.csv").write_text("x\n2\n")

    assert not notebook.run(*cells).was_taken


def test_what_could_not_be_seen_is_told(here: Path) -> None:
    notebook, cell = Notebook(here), "import polars\nrows = polars.read_csv(''.join(['in', '.csv']))"

    hidden = notebook.run(f"%%task --cache\n{cell}")
    named = notebook.run(f"%%task --cache --reads in.csv\n{cell}")

    assert "is cached, and reads files that could not be seen; name them with --reads" in hidden.said
    assert named.said == ""


def test_a_command_is_told(here: Path) -> None:
    ran = Notebook(here).run(
        "import subprocess", "%%task --cache\nrows = subprocess.run(['cat', 'in.csv'], capture_output=True).stdout"
    )

    assert "runs a command ('cat'); files that it reads are not seen: name them with --reads" in ran.said


def test_files_that_a_cell_makes_for_itself_do_not_count(here: Path) -> None:
    cell = """%%task --cache
import tempfile, os
with tempfile.TemporaryDirectory() as place:
    with open(os.path.join(place, 'a'), 'w') as file: file.write('x')
    with open(os.path.join(place, 'a')) as file: rows = file.read()
with tempfile.NamedTemporaryFile('w+') as file: name = file.name
"""
    notebook = Notebook(here)
    notebook.run(cell)

    assert notebook.run(cell).was_taken


def test_a_file_counts_as_it_was_before_the_cell_changed_it(here: Path) -> None:
    cell = "%%task --cache\nfrom pathlib import Path\nname = ''.join(['in', '.csv'])\nrows = Path(name).read_text()\nwith open(name, 'a') as file: file.write(rows[-2:])"
    notebook = Notebook(here)
    notebook.run(cell)
    assert not notebook.run(cell).was_taken
    (here / "in.csv").write_text("x\n1\n1\n")

    assert notebook.run(cell).was_taken


def test_a_file_that_others_change_while_a_cell_reads_it_makes_no_result_to_be_found(here: Path) -> None:
    setup = "import subprocess, sys\nfrom pathlib import Path\nname = ''.join(['in', '.csv'])"
    change = 'subprocess.run([sys.executable, \'-c\', \'open("in.csv", "w").write("other")\'])'
    cell = f"%%task --cache\nrows = Path(''.join([name])).read_text()\n{change}"
    notebook = Notebook(here)

    first = notebook.run(setup, cell)

    assert "'in.csv', which it reads, was changed while it ran" in first.said
    assert not notebook.run(setup, cell).was_taken


def test_a_file_that_was_not_there_counts_too(here: Path) -> None:
    cell = "%%task --cache\nfrom pathlib import Path\ntry:\n    rows = Path(''.join(['no', '.csv'])).read_text()\nexcept OSError:\n    rows = ''"
    notebook = Notebook(here)
    notebook.run(cell)
    assert notebook.run(cell).was_taken
    (here / "no.csv").write_text("now")

    assert notebook.run(cell).bound["rows"] == "now"


def test_many_files_are_told(here: Path) -> None:
    for number in range(MOST_FILES + 1):
        (here / f"{number}.txt").touch()
    cell = "%%task --cache\nfrom pathlib import Path\nrows = [Path(f'{n}.txt').read_text() for n in range(501)]"

    assert f"it reads more than {MOST_FILES} files" in Notebook(here).run(cell).said
