"""Files order cells: who writes one, who reads it, and what the text does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from notebooks import connected

from notebook_flows.analysis import Reason, analyse
from notebook_flows.analysis.feeding import fed_by, feeders
from notebook_flows.analysis.fileorder import FileOrder
from notebook_flows.analysis.files import DATABASE, FileUse, keeps_order, use_of
from notebook_flows.analysis.taskcell import task_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

USES = [
    ("df.to_csv('a.csv')", "write a.csv"),
    ("df.to_csv()", ""),
    ("df.to_csv(path_or_buf='a.csv', index=False)", "write a.csv"),
    ("df.to_parquet(p)", "write ?"),
    ("pd.read_csv('a.csv')", "read a.csv"),
    ("pd.read_csv(filepath_or_buffer='./d/../a.csv')", "read a.csv"),
    ("from pandas import read_csv as r\nr('a.csv')", "read a.csv"),
    ("pd.read_sql('select 1', con)", "read sql:"),
    ("df.to_sql('t', con)", "read sql:, write sql:"),
    ("open('a')", "read a"),
    ("open('a', 'rb')", "read a"),
    ("open('a', 'w')", "write a"),
    ("open('a', mode='x')", "write a"),
    ("open('a', 'a')", "read a, write a"),
    ("open('a', 'r+')", "read a, write a"),
    ("open('a', m)", "read a, write a"),
    ("import json\njson.dump(x, open('a', 'w'))", "write a"),
    ("plt.savefig('a.png')", "write a.png"),
    ("fig.savefig('a.png')", "write a.png"),
    ("np.save('a.npy', x)", "write a.npy"),
    ("np.load('a.npy')", "read a.npy"),
    ("import joblib\njoblib.dump(m, 'm')", "write m"),
    ("import joblib\njoblib.load('m')", "read m"),
    ("from pathlib import Path\nPath('a').write_text('x')", "write a"),
    ("from pathlib import Path\n(Path('d') / 'a').read_text()", "read d/a"),
    ("from pathlib import Path\nPath('d', 'a').unlink()", "write d/a"),
    ("from pathlib import Path\nPath('d').mkdir()", "make d"),
    ("from pathlib import Path\nPath('a').open('w')", "write a"),
    ("from pathlib import Path\nPath('a').rename('b')", "read ?, write ?"),
    ("'a'.replace('b', 'c')", ""),
    ("df.rename(columns=str)", ""),
    ("os.remove('a')", "write a"),
    ("os.makedirs('d', exist_ok=True)", "make d"),
    ("os.listdir('d')", "read d"),
    ("os.path.exists('a')", "read a"),
    ("import glob\nglob.glob('d/*.csv')", "read d"),
    ("shutil.copy('a', 'b')", "read ?, write ?"),
    ("subprocess.run(c)", "read ?, write ?"),
    ("d = 'out'\nopen(f'{d}/a', 'w')", "write out/a"),
    ("d = 'out'\nopen(os.path.join(d, 'a'))", "read out/a"),
    ("d = 'out'\nd = 'in'\nopen(d + '/a')", "read ?"),
    ("for d in 'ab':\n    open(d)", "read ?"),
    ("def f(p):\n    open(p)\nf('a')", "read ?"),
    ("def f():\n    open('a', 'w')", ""),
    ("def f():\n    open('a', 'w')\nf()", "write a"),
    ("%%writefile a.py\nx = 1", "write a.py"),
    ("%%writefile -a a.py\nx = 1", "read a.py, write a.py"),
    ("%%writefile {p}\nx = 1", "write ?"),
    ("%%bash\nmake", "read ?, write ?"),
    ("!make", "read ?, write ?"),
    ("!echo x", ""),
    ("!echo x > a", "read ?, write ?"),
    ("!sleep 1 2>/dev/null && pwd", ""),
    ("!pip list", ""),
    ("!pip install x", "read ?, write ?"),
    ("!cat a.csv | wc -l", "read ., read a.csv"),
    ("!ls", "read ."),
    ("!cat {p}", "read ?"),
    ("x = [1]\nx.copy()", ""),
]


@pytest.mark.parametrize(("source", "expected"), USES)
def test_the_files_of_a_cell_are_told_by_its_text(source: str, expected: str) -> None:
    facts = analyse(source)

    assert ", ".join(sorted(f"{use.kind} {use.path or '?'}" for use in facts.files)) == expected


W, R = "%%task w\ndf.to_csv('a.csv')", "%%task r\npd.read_csv('a.csv')"
ORDERS = [
    (W, R, "need"),
    (R.replace("r\n", "w\n"), W.replace("w\n", "r\n"), "order"),
    (W, R.replace("a.csv", "b.csv"), ""),
    (W, R.replace("a.csv", "./a.csv"), "need"),
    (W, R.replace("'a.csv'", "p"), "order"),
    (W, R.replace("a.csv", "/data/a.csv"), "order"),
    (W, R.replace("a.csv", "https://x/a.csv"), ""),
    (W, "%%task r\ndf.to_csv('a.csv')", "order"),
    (W, "%%task r\nopen('a.csv', 'a')", "need"),
    (W, "%%task r\nos.listdir('.')", "order"),
    (W, "%%task r\n!make", "order"),
    (W, "%%task r\n!echo done", ""),
    (W, "%%task r --pure\npd.read_csv('a.csv')", ""),
    (W, "%%task r --writes x\nx = pd.read_csv('a.csv')", ""),
    (W, "pd.read_csv('a.csv')", "need"),
    ("%%task w\nopen('a')", "%%task r\nopen('a')", ""),
    ("%%task w\n!make", "%%task r\n!make", "order"),
    ("%%task w\nos.makedirs('d')\nopen('d/a', 'w')", "%%task r\nos.makedirs('d')\nopen('d/b', 'w')", ""),
    ("%%task w\nos.makedirs('d')", "%%task r\nopen('d/b', 'w')", "order"),
    ("%%task w\ndf.to_sql('t', c)", "%%task r\npd.read_sql('q', k)", "order"),
    ("%%task w\ndf.to_sql('t', c)", "%%task r\nopen('a')", ""),
]


def _declared(source: str) -> dict[str, Any]:
    found = task_cell(source)
    return {"pure": found.options.pure, "writes": found.options.writes} if found is not None else {}


@pytest.mark.parametrize(("upper", "lower", "expected"), ORDERS)
def test_files_keep_the_order_of_two_cells(upper: str, lower: str, expected: str) -> None:
    connections = connected(upper, lower, r=_declared(lower))

    above, below = connections.cells
    is_ordered = any(edge.kind is Reason.HIDDEN for edge in connections.why(above, below))
    is_need = above in feeders(connections)[below]
    assert ("need" if is_need else "order" if is_ordered else "") == expected


def test_a_name_that_a_cell_above_binds_once_says_the_path() -> None:
    connections = connected("d = 'out'", "%%task w\nopen(f'{d}/a', 'w')", "%%task r\nopen('out/b')")

    assert connections.task_edges == ()


def test_a_name_that_is_bound_anew_says_the_new_path() -> None:
    cells = ["p = 'a'", "%%task w\nopen(p, 'w')", "p = 'b'", "%%task r\nopen(p)", "%%task s\nopen('a')"]

    found = {(edge.upstream_key, edge.downstream_key) for edge in connected(*cells).task_edges}

    assert len(found) == 1


def test_the_reason_names_both_cells_and_the_file() -> None:
    (edge,) = connected(W, R).task_edges

    assert edge.text == "'r' reads a.csv, which 'w' writes"


def test_what_reads_a_file_is_stale_once_its_writer_has_changed() -> None:
    connections = connected(W, R)
    above, below = connections.cells

    assert fed_by(feeders(connections), [above]) == {above, below}


PATHS = [
    "a",
    "A",
    "d",
    "d/a",
    "d/b",
    "d/e/f",
    ".",
    "..",
    "../a",
    "../../a",
    "/",
    "/d",
    "/d/a",
    "~/a",
    "s3://d/a",
    "d/*",
]
USE = st.builds(
    lambda kind, path: FileUse(kind, DATABASE, is_whole=False) if path == DATABASE else use_of(kind, path),
    st.sampled_from(["read", "read", "write", "make"]),
    st.sampled_from([*PATHS, DATABASE, None]),
)


def _must_keep_order(uppers: Sequence[FileUse], lowers: Sequence[FileUse]) -> bool:
    """Two that make sure of the same directory do not, as far as that is all."""
    told = [{str(use.path).casefold() for use in uses if use.kind == "make"} - {"none"} for uses in (uppers, lowers)]
    made = told[0] & told[1]
    rest = [
        [use for use in uses if use.kind != "make" or str(use.path).casefold() not in made] for uses in (uppers, lowers)
    ]
    return any(keeps_order(upper, lower) for upper in rest[0] for lower in rest[1])


@settings(max_examples=300, deadline=None)
@given(cells=st.lists(st.tuples(st.lists(USE, max_size=3), st.booleans()), max_size=8))
def test_the_waits_that_are_told_keep_all_order_that_files_need(cells: Sequence[tuple[list[FileUse], bool]]) -> None:
    order, waits = FileOrder(), dict[int, set[int]]()

    for number, (uses, is_task) in enumerate(cells):
        found = {int(meeting.key) for meeting in order.add(str(number), uses, is_task=is_task)}
        through = [waits[other] for other in found if cells[other][1]]
        waits[number] = found.union(*through)
        assert all(_must_keep_order(cells[other][0], uses) for other in found)

    for number, (uses, _) in enumerate(cells):
        for other in range(number):
            assert other in waits[number] or not _must_keep_order(cells[other][0], uses)


def test_home_and_the_root_may_hold_the_same_file() -> None:
    assert connected("%%task w\ndf.to_csv('~/a.csv')", "%%task r\npd.read_csv('/home/me/a.csv')").task_edges
