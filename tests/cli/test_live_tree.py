"""The live tree of a run, as a person sees it in a terminal."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from cli_processes import ROOT
from screens import Screen, command, has

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    Open = Callable[..., Screen]

WAITS = """
import os, subprocess, sys, time
from notebook_flows import Flow, task

def wait_for(name):
    while not os.path.exists(name): time.sleep(0.02)
"""

ETL = f"""{WAITS}
@task
def extract():
    print("extracting")
    subprocess.run(["printf", "one\\ntwo\\nthree\\nfour\\n"])
    wait_for("go")
    return list(range(10))

@task
def clean(row):
    if row == 7: raise ValueError(f"row {{row}} is too large")
    return row

@task
def load(rows): return len(rows)

@task
def report():
    os.write(1, b"from below Python\\n")
    wait_for("end")

with Flow("etl") as flow:
    rows = extract()
    load(clean.map(rows))
    report(upstream_tasks=[rows])
"""


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Open]:
    opened: list[Screen] = []

    def open_screen(*arguments: object, **more: Any) -> Screen:
        opened.append(Screen(command(*arguments), **{"PYTHONPATH": str(ROOT), **more}))
        return opened[-1]

    yield open_screen
    for one in opened:
        one.close()


def test_a_run_is_a_tree_at_the_bottom_and_prints_scroll_by_above_it_whole(
    screen: Open, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    terminal = screen("run", write("etl.py", ETL), "-x", "threads:2", rows=14, columns=100)

    before = terminal.wait_for(has("▶ extract"))
    (tmp_path / "go").touch()
    during = terminal.wait_for(has("1 of 10 failed"))
    (tmp_path / "end").touch()

    assert before[-6].startswith("etl")
    assert "0 of 4 tasks" in before[-6]
    heads = [re.sub(r" +(running|pending).*", "", line) for line in before[-4:]]
    assert heads == ["▶ extract", "├─ · clean", "│  └─ · load", "└─ · report"]
    assert re.search(r"├─ ✗ clean +failed +[\d.]+ m?s  1 of 10 failed  ValueError: row 7 is too large", during[-3])
    assert terminal.end() == 1
    said = terminal.all_lines
    assert said[:6] == ["extracting", "one", "two", "three", "four", "from below Python"]
    assert not any("of 4 tasks" in line or "of 13 tasks" in line for line in said)  # no rest of a frame
    assert terminal.margins is None


def test_the_tree_stays_as_it_was_at_the_end(screen: Open, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    for name in ("go", "end"):
        (tmp_path / name).touch()

    terminal = screen("run", write("etl.py", ETL), columns=100)

    assert terminal.end() == 1
    tree = [re.sub(r" {2,}", "  ", re.sub(r"[\d.]+ m?s", "T", line)) for line in terminal.all_lines[6:10]]
    assert tree == [
        "✓ extract  success  T",
        "├─ ✗ clean  failed  T  1 of 10 failed  ValueError: row 7 is too large",
        "│  └─ ⊘ load  upstream failed  after clean",
        "└─ ✓ report  success  T",
    ]


def test_ctrl_c_leaves_a_whole_tree_with_what_was_stopped(screen: Open, write: Callable[[str, str], Path]) -> None:
    terminal = screen("run", write("etl.py", ETL), rows=14)
    terminal.wait_for(has("▶ extract"))

    terminal.press("\x03")

    assert terminal.end() == 130
    tree = [line.split()[:3] for line in terminal.all_lines if line.lstrip("├─│└ ")[:1] in {"■", "-"}]
    assert tree[0] == ["■", "extract", "cancelled"]
    assert len(tree) == len(["extract", "clean", "load", "report"]) + len(["etl was cancelled"])
    assert terminal.margins is None


def test_where_the_tree_is_taller_than_the_screen_what_runs_and_failed_comes_first(
    screen: Open, write: Callable[[str, str], Path]
) -> None:
    path = write(
        "many.py",
        f"""{WAITS}
@task
def quick(): pass
@task
def bad(): raise OSError("no such disk")
@task
def last(): wait_for("go")
with Flow("many") as flow:
    for number in range(20): quick(task_args={{"name": f"quick {{number}}"}})
    bad(); last()
""",
    )

    terminal = screen("run", path, rows=10, columns=60)

    lines = terminal.wait_for(has("▶ last"))
    assert lines[4].startswith("many")
    assert lines[6].startswith("▶ last")
    assert lines[7].startswith("✗ bad")
    assert "OSError: no such disk" in lines[7]
    assert re.fullmatch(r"… and 19 more tasks: 19 success", lines[9])


def test_a_terminal_may_change_its_size(screen: Open, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    terminal = screen("run", write("etl.py", ETL), rows=14, columns=100)
    terminal.wait_for(has("▶ extract"))

    terminal.resize(40, 12)
    narrow = terminal.wait_for(lambda lines: lines[7].startswith("━" * 40) or lines[7] == "─" * 40)
    terminal.resize(80, 24)
    wide = terminal.wait_for(lambda lines: lines[19] == "─" * 80)
    (tmp_path / "go").touch()
    (tmp_path / "end").touch()

    assert all(len(line) <= 40 for line in narrow)
    assert [line for line in narrow if "extract " in line] == [narrow[8]]
    assert [line for line in wide if "extract " in line] == [wide[20]]
    assert terminal.end() == 1


def test_names_cannot_paint_move_or_widen_anything(screen: Open, write: Callable[[str, str], Path]) -> None:
    names = ["\x1b[31mred\x1b[2J", "漢字" * 60, "two\nlines\r", "👩‍💻 emoji", "\u202egnp.exe", "x" * 200]
    path = write(
        "odd.py",
        f"{WAITS}\nwith Flow('\\x1b[1mbold') as flow:\n    for name in {names!r}:\n"
        "        task(lambda: wait_for('go'), name=name)()\n",
    )

    terminal = screen("run", path, "-x", "threads:6", columns=40, rows=14)

    lines = terminal.wait_for(lambda lines: sum("running" in line for line in lines) == 6)
    assert lines[6].startswith("�[1mbold")
    assert lines[8].startswith("▶ �[31mred�[2J")
    assert len({line.index("running") for line in (lines[8], lines[10], lines[13])}) == 1
    assert lines[13].startswith("▶ xxxxxxxxx")
    assert "…  running" in lines[13]


def test_without_colours_nothing_is_coloured_and_else_each_state_is(
    screen: Open, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    path = write("one.py", f"{WAITS}\nwith Flow('f') as flow: task(lambda: wait_for('go'), name='one')()\n")
    seen = {}

    for said in ("", "1"):
        terminal = screen("run", path, NO_COLOR=said)
        lines = terminal.wait_for(has("▶ one"))
        row = next(number for number, line in enumerate(lines) if "▶ one" in line)
        seen[said] = terminal._terminal.buffer[row][0].fg

    assert seen == {"": "brown", "1": "default"}
    (tmp_path / "go").touch()


def test_a_dumb_terminal_gets_lines(screen: Open, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    for name in ("go", "end"):
        (tmp_path / name).touch()

    terminal = screen("run", write("etl.py", ETL), TERM="dumb")

    assert terminal.end() == 1
    assert any(re.match(r"\d\d:\d\d:\d\d\.\d{3}  ✓ extract", line) for line in terminal.all_lines)


def test_time_left_is_told_from_the_second_run_on(
    screen: Open, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    path = write(
        "slow.py",
        f"{WAITS}\n@task\ndef slow(): time.sleep(3)\n@task\ndef waits(x): wait_for('go')\n"
        "with Flow('slow') as flow: waits(slow())\n",
    )
    (tmp_path / "go").touch()
    first = screen("run", path)
    assert first.end() == 0

    second = screen("run", path)

    lines = second.wait_for(has("left"))
    head = next(line for line in lines if "left" in line)
    assert re.search(r"^slow +0 of 2 tasks, \d+:\d\d, about \d+ s left$", head)
    assert second.end() == 0


def test_a_run_in_another_process_can_be_looked_on_at(
    screen: Open, write: Callable[[str, str], Path], tmp_path: Path, nf: Callable[..., Result]
) -> None:
    other = screen("run", write("etl.py", ETL))
    other.wait_for(has("▶ extract"))

    looking = screen("show", "latest", "--follow", rows=14)
    lines = looking.wait_for(has("▶ extract"))
    (tmp_path / "go").touch()
    (tmp_path / "end").touch()

    assert lines[-6].startswith("etl")
    assert other.end() == 1
    assert looking.end() == 1
    assert any(line.startswith("✗ etl failed after") for line in looking.all_lines)
    assert "✓ extract" in nf("show", "latest", "--follow").stdout  # it has ended: there is nothing to wait for


def test_who_looks_on_hears_that_the_run_has_lost_its_process(screen: Open, write: Callable[[str, str], Path]) -> None:
    other = screen("run", write("etl.py", ETL))
    other.wait_for(has("▶ extract"))
    looking = screen("show", "latest", "--follow")
    looking.wait_for(has("▶ extract"))

    other.process.kill()

    assert looking.end() == 3
    assert any(line.startswith("☠ etl crashed after") for line in looking.all_lines)
    assert any(line.split()[:3] == ["☠", "extract", "crashed"] for line in looking.all_lines)


def test_who_stops_looking_on_stops_no_run(screen: Open, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    other = screen("run", write("etl.py", ETL))
    other.wait_for(has("▶ extract"))
    looking = screen("show", "latest", "--follow", columns=120)
    looking.wait_for(has("▶ extract"))

    looking.press("\x03")

    assert looking.end() == 130
    assert any("goes on. To stop it: notebook-flows cancel" in line for line in looking.all_lines)
    (tmp_path / "go").touch()
    (tmp_path / "end").touch()
    assert other.end() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["etl.py", "--follow"], "give its id"), (["latest", "--follow", "-f", "svg"], "leave out --format")],
)
def test_only_a_run_can_be_looked_on_at_and_only_on_the_screen(
    nf: Callable[..., Result], write: Callable[[str, str], Path], arguments: list[str], said: str
) -> None:
    write("etl.py", ETL)

    result = nf("show", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_of_several_notebooks_each_has_a_line_with_its_cells(
    screen: Open, write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    waits = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)"
    paths = [write_notebook("a.ipynb", "1", waits, "2"), write_notebook("b.ipynb", "1 / 0", "3")]

    terminal = screen("run", *map(os.path.basename, paths), "-j", 2, columns=100, rows=12)

    lines = terminal.wait_for(lambda lines: has("1 of 3 cells")(lines) and has("ZeroDivisionError")(lines))
    looking = screen("show", "latest", "--follow", columns=100, rows=12)
    followed = looking.wait_for(lambda lines: has("1 of 3 cells")(lines) and has("✗ b")(lines))
    (tmp_path / "go").touch()
    assert "1 of 2 notebooks" in followed[8]
    assert lines[8].startswith("2 notebooks")
    assert "1 of 2 notebooks" in lines[8]
    assert re.match(r"▶ a +running +\d+:\d\d  ━━━─────── 1 of 3 cells", lines[10])
    assert lines[11].startswith("✗ b")
    assert terminal.end() == 1


def test_while_a_kernel_starts_the_tree_says_so(
    screen: Open, write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    wait = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.02)\n"
    (startup / "slow.py").write_text(wait, encoding="utf-8")

    terminal = screen("run", write_notebook("a.ipynb", "1"), IPYTHONDIR=str(startup.parents[1]))
    before = terminal.wait_for(has("starting"))
    (tmp_path / "go").touch()

    assert before[-1].split() == ["a.ipynb", "starting"]
    assert terminal.end() == 0
    assert not any("starting" in line for line in terminal.all_lines)
