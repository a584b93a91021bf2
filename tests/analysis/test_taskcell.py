"""Which cells are tasks, and what the line `%%task` says."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from notebook_flows.analysis.taskcell import CellOptions, TaskCellError, name_of, prose_in, task_cell, without_task_line


@pytest.mark.parametrize(
    ("source", "tags", "name", "body"),
    [
        ("%%task\nx = 1", (), None, "# %%task\nx = 1"),
        ("%%task load\nx = 1", (), "load", "# %%task load\nx = 1"),
        ("\n\n  %%task load\nx = 1", (), "load", "\n\n# %%task load\nx = 1"),
        (
            '%%task "Load the data" --retries 2\nx = 1',
            (),
            "Load the data",
            '# %%task "Load the data" --retries 2\nx = 1',
        ),
        ("%%task --name load\nx = 1", (), "load", "# %%task --name load\nx = 1"),
        ("%%task load # first of all\nx = 1", (), "load", "# %%task load # first of all\nx = 1"),
        ("%%task load # don't\nx = 1", (), "load", "# %%task load # don't\nx = 1"),
        ("%%task load#1\nx = 1", (), "load#1", "# %%task load#1\nx = 1"),
        ("%%task '#1'\nx = 1", (), "#1", "# %%task '#1'\nx = 1"),
        ("%%task load\r\nx = 1\r\n", (), "load", "# %%task load\r\nx = 1\r\n"),
        ("# %%task load\nx = 1", (), "load", "# %%task load\nx = 1"),
        ("#%%task\nx = 1", (), None, "#%%task\nx = 1"),
        ("%%task load\n%%time\nx = 1", (), "load", "%%time\n# %%task load\nx = 1"),
        ("%%task load\n%%bash\nls", (), "load", "%%bash\n# %%task load\nls"),
        ("# %%task load\n%%time\nx = 1", (), "load", "%%time\n# %%task load\nx = 1"),
        ("%%time\n%%task load\nx = 1", (), "load", "%%time\n# %%task load\nx = 1"),
        ("%%capture out\n# %%task load\nx = 1", (), "load", "%%capture out\n# %%task load\nx = 1"),
        ("x = 1", ("task",), None, "x = 1"),
        ("x = 1", ("hide-input", "task:load"), "load", "x = 1"),
        ("x = 1", ("task: Load the data ",), "Load the data", "x = 1"),
        ("%%task\nx = 1", ("task:load",), "load", "# %%task\nx = 1"),
        ("%%task clean\nx = 1", ("task:load",), "clean", "# %%task clean\nx = 1"),
        ("%%task load", (), "load", "# %%task load"),
        ("# Loads the data\n\n%%task load\nx = 1", (), "load", "# Loads the data\n\n# %%task load\nx = 1"),
        ("# Loads\n# %%task load\nx = 1", (), "load", "# Loads\n# %%task load\nx = 1"),
    ],
)
def test_a_task_cell_is_told_by_its_line_or_its_tag(
    source: str, tags: tuple[str, ...], name: str | None, body: str
) -> None:
    cell = task_cell(source, tags)

    assert cell is not None
    assert (cell.name, cell.body) == (name, body)


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("", ()),
        ("x = 1", ()),
        ("x = 1\n%%task load", ()),
        ("%%tasks\nx = 1", ()),
        ("%%task?", ()),
        ("%%task??", ()),
        ("%task load", ()),
        ("'''\n%%task\n'''", ()),
        ("%%writefile cell.txt\n%%task load\nx = 1", ()),
        ("%%time\n\n%%task load\nx = 1", ()),
        ("x = 1", ("tasks", "my-task", "task-1")),
        ("# %%task is great\nx = 1", ()),
        ("# Speaks of it:\n# %%task isn't a magic of IPython's own\nx = 1", ()),
        ("# %%task can be given --retries 3\nx = 1", ()),
        ("# %%task - see the docs # above\nx = 1", ()),
        ("# %%task: load\nx = 1", ()),
        ("%%time\n# %%task is great\nx = 1", ()),
    ],
)
def test_other_cells_are_ordinary(source: str, tags: tuple[str, ...]) -> None:
    cell = task_cell(source, tags)

    assert cell is None
    assert without_task_line(source) == source


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%%task", CellOptions()),
        ("%%task load --retries 3 --retry-delay 10", CellOptions(retries=3, retry_delay_s=10.0)),
        ("%%task --retries=3 load --retry-delay=1.5", CellOptions(retries=3, retry_delay_s=1.5)),
        ("%%task --timeout 5m", CellOptions(timeout_s=300.0)),
        ("%%task --timeout .5s", CellOptions(timeout_s=0.5)),
        ("%%task --timeout 2h", CellOptions(timeout_s=7200.0)),
        ("%%task --cache", CellOptions(cache=True)),
        ("%%task --no-cache", CellOptions(cache=False)),
        ("%%task --needs a,b", CellOptions(needs=frozenset({"a", "b"}))),
        ("%%task --needs a, b ,c --pure", CellOptions(needs=frozenset({"a", "b", "c"}), pure=True)),
        ('%%task --needs "Load the data,clean"', CellOptions(needs=frozenset({"Load the data", "clean"}))),
        ("%%task --reads x,y --writes z", CellOptions(reads=frozenset({"x", "y"}), writes=frozenset({"z"}))),
        ("%%task --reads= --writes=''", CellOptions(reads=frozenset(), writes=frozenset())),
        ("%%task --executor processes", CellOptions(executor="processes")),
        ("%%task -x processes --pure", CellOptions(executor="processes", pure=True)),
        ("%%task --tags slow,io", CellOptions(tags=frozenset({"slow", "io"}))),
        ("# %%task --pure", CellOptions(pure=True)),
    ],
)
def test_options_are_understood(line: str, expected: CellOptions) -> None:
    cell = task_cell(f"{line}\nx = 1")

    assert cell is not None
    assert cell.options == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%%task load --retrys 3", "%%task load --retrys 3: there is no option --retrys. Did you mean '--retries'?"),
        ("%%task -retries 3", "there is no option -retries. Did you mean '--retries'?"),
        ("%%task --xyz", "The options are --name, --retries"),
        ("%%task --retries many", "--retries has to be a whole number, such as 3, not 'many'."),
        ("%%task --retries -1", "--retries has to be a whole number, such as 3, not '-1'."),
        ("%%task --retries 9999999", "--retries has to be a whole number, such as 3, not '9999999'."),
        ("%%task --retries", "--retries lacks its value: a whole number, such as 3."),
        ("%%task --retries --pure", "--retries lacks its value"),
        ("%%task --timeout 0", "--timeout has to be more than 0 seconds"),
        ("%%task --timeout soon", "not 'soon'"),
        (
            "%%task --reads a-b",
            "--reads has to be names of variables, or of files, with commas between them, not 'a-b'.",
        ),
        ("%%task --tags ,,", "--tags has to be labels with commas between them, not ',,'."),
        ("%%task --needs ,", "--needs has to be names of tasks with commas between them, not ','."),
        ("%%task --executor proceses", "--executor has to be one of threads, processes, main, not 'proceses'. Did you"),
        ("%%task --pure=yes", "--pure takes no value."),
        ("%%task --cache --no-cache", "--no-cache is said twice, and not the same."),
        ("%%task load data", 'a task has one name, and here are 2. Write a name with blanks as "load data".'),
        ("%%task load --name data", "a task has one name"),
        ('%%task "load', "it cannot be cut into words: no closing quotation."),
        ('# %%task "load', "it cannot be cut into words: no closing quotation."),
        ("# %%task load --retrys 3", "there is no option --retrys. Did you mean '--retries'?"),
        ("# %%task -retries 3", "there is no option -retries. Did you mean '--retries'?"),
    ],
)
def test_a_line_that_cannot_be_understood_says_what_to_write(line: str, message: str) -> None:
    with pytest.raises(TaskCellError) as caught:
        task_cell(f"{line}\nx = 1")

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("%%task load\n# Load it\nx = 1", "load"),
        ("%%task\n\n# Load it\nx = 1", "Load it"),
        ("%%task\n%%time\n## Load it\nx = 1", "Load it"),
        ("# %%task\n# Load it", "Load it"),
        ("%%task\n# %%task is great", "task is great"),
        ("%%task\nprint(1)\n# Load it", "cell 7"),
        ("%%task\n# " + "a very long comment " * 9, "a very long comment a very long comment a ver..."),
        ("%%task\n%%bash\nls", "cell 7"),
    ],
)
def test_a_task_without_a_name_gets_one_from_its_text(source: str, name: str) -> None:
    cell = task_cell(source)

    assert cell is not None
    assert name_of(cell, 7) == name


def test_a_comment_that_only_speaks_of_task_lines_is_found() -> None:
    assert prose_in("\n# Load\n  # %%task load the data\nx = 1") == "# %%task load the data"
    assert prose_in("# %%task load\nx = 1") is None
    assert prose_in("x = 1\n# %%task load the data") is None


@given(
    st.lists(
        st.sampled_from(["%%task", "# %%task a", "%%task a --pure", "%%time", "%%bash", "x = 1", "", "  ", "# %%time"]),
        max_size=6,
    )
)
def test_what_runs_has_as_many_lines_and_is_still_the_same_task(lines: list[str]) -> None:
    source = "\n".join(lines)

    body = without_task_line(source)

    assert body.count("\n") == source.count("\n")
    assert without_task_line(body) == body
    before, after = task_cell(source), task_cell(body)
    if before is not None and "%%bash" not in lines:  # a task line below `%%bash` is a line of the script
        assert after == before


def test_other_systems_word_for_needs_is_answered_by_ours() -> None:
    with pytest.raises(TaskCellError, match="Did you mean --needs"):
        task_cell("%%task load --after fetch\nx = 1")


def test_a_line_that_asks_for_help_makes_no_task() -> None:
    assert task_cell("%%task --help\n") is None
