"""A cached cell that reads what its text does not tell is taken only while that is as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import write
from counted import counted
from shelves import Notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.fingerprints.readfiles import changed_file, read_files
from notebook_flows.fingerprints.watching import MOST_FILES, Seen, stamp_of
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


READING = {
    "table": "rows = list(pd.read_csv(config['in']['csv']).x)",
    "path": "name = folder + '/' + ['in', 'out'][0] + '.csv'\nfound = Path(name).read_text()",
    "listed": "texts = [one.read_text() for one in sorted(Path(folder).resolve().glob('*.csv'))]",
    "helper": "read = lines('/'.join([folder, 'in.csv']))",
    "pool": "with ThreadPoolExecutor() as pool: pooled = list(pool.map(lines, [folder + '/in' + '.csv']))\ndel pool",
    "thread": "got = []\nt = Thread(target=lambda: got.extend(lines('/'.join([folder, 'in.csv']))))\nt.start()\nt.join()\ndel t",
    "await": "import asyncio\nawaited = await asyncio.to_thread(lines, folder + '/' + 'in.csv'.strip())",
    "away --executor processes": "far = lines(''.join(['in', '.csv']))",
}


def said(folder: Path, run_id: str) -> str:
    return "\n".join(line.message for line in stored_log(folder / "store" / "history.sqlite").log_lines(run_id))


def test_the_files_that_cells_have_read_are_part_of_what_they_are_found_by(folder: Path) -> None:
    cells = {
        key.split()[0]: f"%%task {key} --cache\ncount({key.split()[0]!r})\n{cell}" for key, cell in READING.items()
    }
    path = write(folder, {"ext": "%load_ext notebook_flows", "setup": SETUP, **cells})
    (folder / "data").mkdir()
    for file in (folder / "in.csv", folder / "data" / "in.csv"):
        file.write_text("x\n1\n")
    first = run_notebook(path)
    again = run_notebook(path)
    assert counted() == dict.fromkeys(cells, 1)
    for file in (folder / "in.csv", folder / "data" / "in.csv"):
        file.write_text("x\n2\n")

    other = run_notebook(path)
    last = run_notebook(path)

    assert first.is_successful
    assert {one.state for one in again.cells[2:]} == {S.CACHED}
    assert counted() == dict.fromkeys(cells, 1)
    assert {one.state for one in last.cells[2:]} == {S.CACHED}
    told = said(folder, other.run_id)
    assert (
        f"Task 'helper' runs, though run {first.run_id[:8]} has run it: 'data/in.csv', which it read then, is not"
        in told
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("x\n1\n")
    return tmp_path


@pytest.mark.parametrize("name", [".env", "other.ipynb", "data.csv"])
def test_whatever_a_cell_reads_in_a_directory_that_it_names_counts(name: str, folder: Path) -> None:
    cell = f"import os\nfound = [open(f'conf/{{one}}').read() for one in os.listdir('conf') if one == {name!r}]"
    cells = {
        "ext": "%load_ext notebook_flows",
        "setup": "from counting import count",
        "t": f"%%task t --cache --reads conf/\ncount('t')\n{cell}",
    }
    path = write(folder, cells)
    (folder / "conf").mkdir()
    (folder / "conf" / name).write_text("1")
    run_notebook(path)
    run_notebook(path)
    assert counted() == {"t": 1}
    (folder / "conf" / name).write_text("22")

    run_notebook(path)

    assert counted() == {"t": 1}


BY_NAME = {
    "importlib.import_module": "found = importlib.import_module('ru' + 'les').number",
    "a helper": "from plugins import load\nfound = load('ru' + 'les').number",
    "what that imports": "found = importlib.import_module('m' + 'ore').rules.number",
    "a loader": "spec = importlib.util.spec_from_file_location('x', 'ru' + 'les.py')\n"
    "module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\nfound = module.number\n"
    "del spec, module",
    "data of a package": "found = importlib.resources.read_text('package', 'da' + 'ta.txt')",
    "tokenize": "with tokenize.open('ru' + 'les.py') as file: found = file.read()",
}


@pytest.mark.parametrize("cell", BY_NAME.values(), ids=BY_NAME)
def test_modules_that_are_imported_by_their_names_count_too(cell: str, folder: Path) -> None:
    setup = "import importlib, importlib.util, importlib.resources, tokenize\nfrom counting import count"
    path = write(
        folder,
        {"ext": "%load_ext notebook_flows", "setup": setup, "t": f"%%task t --cache\ncount('t')\n{cell}"},
    )
    (folder / "plugins.py").write_text("import importlib\ndef load(name): return importlib.import_module(name)\n")
    (folder / "more.py").write_text("import rules\n")
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "data.txt").write_text("1")
    (folder / "rules.py").write_text("number = 1\n")
    run_notebook(path)
    run_notebook(path)
    assert counted() == {"t": 1}
    (folder / "rules.py").write_text("number = 22\n")
    (folder / "package" / "data.txt").write_text("22")

    run_notebook(path)

    assert counted() == {"t": 1}


def test_a_module_that_a_text_names_counts_though_it_is_imported_above(folder: Path) -> None:
    cells = {
        "ext": "%load_ext notebook_flows",
        "setup": "import importlib, rules\nfrom counting import count",
        "t": "%%task t --cache\ncount('t')\nfound = importlib.import_module('rules').number",
    }
    path = write(folder, cells)
    (folder / "rules.py").write_text("number = 1\n")
    run_notebook(path)
    (folder / "rules.py").write_text("number = 22\n")

    run_notebook(path)

    assert counted() == {"t": 2}


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

    assert "starts a process ('cat'); files that it reads are not seen: name them with --reads" in ran.said


def test_a_process_that_is_forked_is_told(here: Path) -> None:
    cell = "%%task --cache\nimport os\nif (x := os.fork()) == 0: os._exit(0)\nx = os.waitpid(x, 0)[1]"

    assert "starts a process ('os.fork')" in Notebook(here).run(cell).said


def test_large_files_of_a_cell_that_is_not_cached_are_not_read_again(here: Path) -> None:
    files = {str(here / "in.csv"): stamp_of(str(here / "in.csv"))}
    reads, _ = read_files(Seen(files=dict(files)), (), here, most_read=3)
    assert changed_file(reads, here) is None
    (here / "in.csv").write_text("x\n2\n")

    assert reads["in.csv"].startswith("changed ")
    assert changed_file(reads, here) == "in.csv"


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


@pytest.mark.parametrize("moves", ["os.rename(*names)", "Path(names[0]).replace(names[1])", "shutil.move(*names)"])
def test_a_file_that_a_cell_moves_before_it_reads_it_counts(moves: str, here: Path) -> None:
    cell = (
        "%%task --cache\nimport os, shutil\nfrom pathlib import Path\nnames = [''.join(['in', '.csv']), ''.join(['do', 'ne'])]\n"
        f"{moves}\nrows = Path(names[1]).read_text()"
    )
    notebook = Notebook(here)
    notebook.run(cell)
    (here / "in.csv").write_text("x\n1\n")
    assert notebook.run(cell).was_taken
    (here / "in.csv").write_text("x\n2\n")

    assert notebook.run(cell).bound["rows"] == "x\n2\n"


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


BY_NUMBER = {
    "dir_fd": "f = os.open('in.csv', os.O_RDONLY, dir_fd=d)\ntext = os.read(f, 100)\nos.close(f)",
    "listdir": "names = os.listdir(d)",
    "scandir": "with os.scandir(d) as found: names = [one.name for one in found]",
    "fwalk": "names = [files for _, _, files, _ in os.fwalk('data')]",
}


@pytest.mark.parametrize("way", BY_NUMBER)
def test_what_is_read_through_a_directory_that_is_open_is_told(way: str, here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "in.csv").write_text("1")

    setup = f"import os\nd = os.open({str(here / 'data')!r}, os.O_RDONLY)"

    assert "a directory that is open already" in Notebook(here).run(setup, f"%%task --cache\n{BY_NUMBER[way]}").said


def test_a_temporary_directory_that_is_cleared_away_is_no_reading(here: Path) -> None:
    cell = (
        "%%task --cache\nimport os, tempfile\nwith tempfile.TemporaryDirectory() as folder:\n    os.mkdir(folder + '/in')\n"
        "    open(folder + '/in/x', 'w').close()\nx = 1"
    )

    assert "could be seen" not in Notebook(here).run(cell).said
