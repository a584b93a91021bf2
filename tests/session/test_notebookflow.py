"""`%flow run` in a real kernel: what runs, where its output stands, and what lands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from opened import OpenNotebook
    from talking import Message


def a_pipeline(notebook: OpenNotebook, *, n: int = 3) -> None:
    """Four task cells: load, then double and square side by side, then total."""
    notebook.run("n", f"n = {n}")
    notebook.run("load", "%%task load\nrows = list(range(n))\nprint('loading', n)")
    notebook.run("double", "%%task double\ndoubled = [row * 2 for row in rows]\nprint('doubled', doubled)")
    notebook.run("square", "%%task square\nsquared = [row ** 2 for row in rows]\nsquared")
    notebook.run("total", "%%task total\ntotal = sum(doubled) + sum(squared)\ntotal")


# -- what runs, and where its output stands ----------------------------------------------------------------------------


def test_nothing_runs_that_was_just_executed(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)

    answer = notebook.run("run", "%flow run")

    assert answer.said == "All 4 tasks are up to date; `--all` runs them again.\n"


def test_what_is_stale_runs_and_its_output_takes_the_place_of_the_old_one(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)
    notebook.run("n", "n = 4")

    answer = notebook.run("run", "%flow run")

    assert answer.said.startswith("✓ 4 cells in ")
    assert "4 success" in answer.picture
    assert notebook.shown("load") == [("stdout", "loading 4\n")]
    assert notebook.shown("double") == [("stdout", "doubled [0, 2, 4, 6]\n")]
    assert notebook.shown("square") == [("execute_result", "[0, 1, 4, 9]")]
    assert notebook.shown("total") == [("execute_result", "26")]
    assert notebook.value("total, rows") == "(26, [0, 1, 2, 3])"


def has_come(text: str, published: list[Message]) -> bool:
    """Whether this was printed."""
    return any(text in str(one) for one in published if one.kind == "stream")


def test_what_several_tasks_write_past_python_is_in_the_log_below_none_of_them(notebook: OpenNotebook) -> None:
    notebook.run("meet", "import os, threading\nmeet = threading.Barrier(1, timeout=30)")
    one = "%%task {0} --pure\n_ = meet.wait()\nos.write(1, b'raw {0}\\n')\n{0} = meet.wait()"
    for name in ("left", "right"):  # by hand the kernel reads what is written like this in its own time
        notebook.run(name, one.format(name), until=partial(has_come, f"raw {name}"))
    notebook.run("meet", "import os, threading\nmeet = threading.Barrier(2, timeout=30)")

    answer = notebook.run("run", "%flow run")

    assert answer.said.startswith("✓ 2 cells in ")
    assert notebook.shown("left") == notebook.shown("right") == []
    log = "__import__('notebook_flows.workspace').workspace.event_log()"
    lines = f"[(one.node, one.message) for one in {log}.log_lines({log}.runs()[0].run_id) if 'raw' in one.message]"
    assert notebook.value(f"sorted({lines})") == "[(-1, 'raw left'), (-1, 'raw right')]"


@pytest.mark.parametrize(
    "how", ["", " --executor main", " --executor processes", "\nimport asyncio\nawait asyncio.sleep(0)"]
)
def test_an_error_of_a_cell_is_shown_as_by_hand(notebook: OpenNotebook, how: str) -> None:
    notebook.run("bad", f"%%task bad{how}\n1 / 0")

    told = notebook.run("run", "%flow run bad")

    assert "bad: failed: ZeroDivisionError" in told.said
    (error,) = [one for one in notebook._outputs["bad"] if one.kind == "error"]
    text = "\n".join(error.content["traceback"])
    assert "During handling" not in text
    assert "notebook_flows" not in text


def test_an_output_goes_away_where_the_run_has_none(notebook: OpenNotebook) -> None:
    notebook.run("loud", "loud = True")
    notebook.run("say", "%%task say\nif loud:\n    print('hello')")
    notebook.run("loud", "loud = False")

    notebook.run("run", "%flow run")

    assert notebook.shown("say") == []


@pytest.mark.parametrize(
    ("line", "ran"),
    [
        ("--all", {"load", "double", "square", "total"}),
        ("--from square", {"square", "total"}),
        ("--only double", {"double"}),
        ("double", {"double"}),
        ("double square", {"double", "square"}),
        ("--all -j 1", {"load", "double", "square", "total"}),
        ("--all --executor main", {"load", "double", "square", "total"}),
        ("--all --executor processes -j 1", {"load", "double", "square", "total"}),
    ],
)
def test_what_was_asked_for_runs(notebook: OpenNotebook, line: str, ran: set[str]) -> None:
    a_pipeline(notebook)
    notebook.run("run", "%flow clear")
    notebook.run("run", "%flow run")

    answer = notebook.run("run", f"%flow run {line}")

    assert f"✓ {len(ran)} cell" in answer.said
    log = "__import__('notebook_flows.workspace').workspace.event_log()"
    slugs = f"{log}.run({log}.runs()[0].run_id).slugs"
    assert notebook.value(f"sorted({slugs})") == repr(sorted(f"{name}-1" for name in ran))
    assert "4 tasks, 4 success" in answer.picture
    assert notebook.value("total") == "11"


def test_the_picture_of_a_run_of_some_tasks_has_all_of_them_as_status_tells_them(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)
    notebook.run("run", "%flow run")
    notebook.run("square", "%%task square\nsquared = [row * row for row in rows]\nsquared")
    notebook.run("double", "%%task double\n1 / 0\ndoubled = [row * 2 for row in rows]")

    answer = notebook.run("run", "%flow run --only square")

    assert "4 tasks" in answer.picture
    names = ("load", "square", "total", "double")
    lines = [next(one for one in answer.picture.splitlines() if f"{name} " in one) for name in names]
    words = ("success", "success", "pending", "failed")
    assert [word in line for word, line in zip(words, lines, strict=True)] == [True] * 4, answer.picture


def test_a_task_that_is_asked_for_brings_what_it_needs_where_that_is_stale(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)
    notebook.run("n", "n = 4")

    answer = notebook.run("run", "%flow run double")

    assert "✓ 2 cells in" in answer.said
    assert "2 other tasks left as they are" in answer.said
    assert notebook.value("doubled, total") == "([0, 2, 4, 6], 11)"


def test_two_runs_in_one_cell_and_one_in_a_condition(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)

    answer = notebook.run("run", "%flow run --only load\nif total:\n    %flow run --only double\nprint('after')")

    assert answer.status == "ok"
    assert answer.said.count("✓ 1 cell in") == 2
    assert answer.said.endswith("after\n")


def test_a_run_inside_of_a_function_waits_and_what_needs_the_loop_says_so(notebook: OpenNotebook) -> None:
    notebook.run("a", "%%task a\nx = 1")
    notebook.run("b", "%%task b\nimport asyncio\nawait asyncio.sleep(0)\ny = 2")

    answer = notebook.run("run", "def again():\n    %flow run --all\nagain()")

    assert answer.status == "error"
    assert "b: failed: RuntimeError: It awaits, and the kernel's event loop is not free" in answer.said
    assert "✗ 1 failed, 1 success in " in answer.said


def test_kinds_of_cells_side_by_side_give_their_values(notebook: OpenNotebook) -> None:
    notebook.run("load", "%%task load\nrows = [1, 2]")
    notebook.run("wait", "%%task wait\nimport asyncio\nawait asyncio.sleep(0.01)\nwaited = sum(rows)\nprint('waited')")
    notebook.run("shell", "%%task shell\nsaid = !echo {rows[0]}\n!echo shell")
    notebook.run("magic", "%%task magic\n%who_ls int\nmade = 5")
    notebook.run("away", "%%task away --executor processes\nimport os\npid = os.getpid()\nprint('away')\nrows")
    notebook.run("unseen", "%%task unseen\nexec('hidden = 7')")
    notebook.run("use", "%%task use\nwhole = hidden + made")

    answer = notebook.run("run", "%flow run --all")

    assert answer.status == "ok", answer.said
    assert notebook.text("wait") == "waited\n"
    assert notebook.text("shell") == "shell\n"
    assert notebook.shown("away") == [("stdout", "away\n"), ("execute_result", "[1, 2]")]
    assert notebook.value("waited, list(said), made, hidden, whole") == "(3, ['1'], 5, 7, 12)"
    assert notebook.value("pid != __import__('os').getpid()") == "True"


# -- parameters --------------------------------------------------------------------------------------------------------


def with_parameters(notebook: OpenNotebook, set_up: str = "base = n * 10") -> None:
    notebook.run("parameters", "# parameters\nn: int = 3")
    notebook.run("base", set_up)
    notebook.run("use", "%%task use\nused = base + n")


def test_a_parameter_reaches_tasks_through_ordinary_cells_which_run_again(notebook: OpenNotebook) -> None:
    with_parameters(notebook)

    answer = notebook.run("run", "%flow run -p n=5")

    assert "✓ 3 cells in" in answer.said
    assert notebook.value("n, base, used") == "(5, 50, 55)"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-p n=many", "n"),
        ("-p m=1", "'m' is no parameter of it. Its parameters: n."),
        ("-p n", "n"),
    ],
)
def test_a_parameter_that_does_not_fit_is_told_before_anything_runs(
    notebook: OpenNotebook, line: str, said: str
) -> None:
    with_parameters(notebook)

    answer = notebook.run("run", f"%flow run {line}")

    assert answer.status == "error"
    assert said in answer.said
    assert "notebook_flows/" not in answer.said  # no traceback of ours
    assert notebook.value("n, base, used") == "(3, 30, 33)"


def test_an_ordinary_cell_that_must_not_run_again_is_named(notebook: OpenNotebook) -> None:
    with_parameters(notebook, "base = n * 10\nopen('log.txt', 'a').write('x')")

    answer = notebook.run("run", "%flow run -p n=5")

    assert answer.status == "error"
    assert "'2 base = n * 10'" in answer.said
    assert "run that cell by hand first" in answer.said


# -- failures ----------------------------------------------------------------------------------------------------------


def test_what_does_not_need_a_failed_task_goes_on(notebook: OpenNotebook) -> None:
    notebook.run("n", "n = 1")
    notebook.run("bad", "%%task bad\nratio = 1 / n")
    notebook.run("after", "%%task after\nafterwards = ratio + 1")
    notebook.run("other", "%%task other\nother = n + 1")
    notebook.run("n", "n = 0")

    answer = notebook.run("run", "%flow run")

    assert answer.ename == "FlowRunFailed"
    assert "✗ 1 failed, 1 not run, 1 success in " in answer.said
    assert "✗ bad: failed: ZeroDivisionError: division by zero" in answer.said
    assert "- after: not run: after bad" in answer.said
    assert notebook.shown("bad") == [("error", "ZeroDivisionError")]
    assert notebook.value("ratio, afterwards, other") == "(1.0, 2.0, 1)"


def test_a_failed_task_fails_the_run_though_one_that_only_follows_it_goes_well(
    notebook: OpenNotebook, folder: Path
) -> None:
    notebook.run("import", "import os")
    notebook.run("read", "%%task read\nback = open(os.environ.get('NOT_THERE', 'no such file')).read()")
    notebook.run("write", f"%%task write\nwith open({str(folder / 'out.txt')!r}, 'w') as out:\n    out.write('x')")

    answer = notebook.run("run", "%flow run --all")

    assert answer.ename == "FlowRunFailed"
    assert "✗ 1 failed, 1 success in " in answer.said
    assert "✗ read: failed: FileNotFoundError" in answer.said
    assert (folder / "out.txt").read_text() == "x"


def test_post_mortem_begins_in_the_task(notebook: OpenNotebook) -> None:
    notebook.run("n", "n = 0")
    notebook.run("bad", "%%task bad\nlocal = 5\nratio = 1 / n")

    notebook.run("run", "%flow run")

    last = "__import__('sys').last_traceback"
    assert notebook.value("__import__('sys').last_type.__name__") == "'ZeroDivisionError'"
    assert notebook.value(f"[f.lineno for f in __import__('traceback').extract_tb({last})][-1]") == "3"


def test_a_cell_that_is_no_python_fails_below_itself(notebook: OpenNotebook) -> None:
    notebook.run("good", "%%task good\nx = 1")
    notebook.run("bad", "%%task bad\nx = = 1")

    answer = notebook.run("run", "%flow run --all")

    assert "✗ bad: failed: SyntaxError" in answer.said
    assert notebook.shown("bad") == [("error", "SyntaxError")]
    assert notebook.value("x") == "1"


def test_what_has_used_a_constant_stays_as_it_is_where_that_is_set_up_again_for_others(notebook: OpenNotebook) -> None:
    notebook.run("n", "import os\nn = 3")
    notebook.run("load", "%%task load\nrows = list(range(n)); separator = os.sep")
    notebook.run("bad", "%%task bad\nfound = rows[n]")
    notebook.run("other", "n = 6")  # which stands below, and is none of theirs

    first = notebook.run("run", "%flow run bad")
    again = notebook.run("run", "%flow run")

    assert "1 failed, 1 success in" in first.said
    assert "1 other task left as it is" in again.said
    assert notebook.value("n, rows") == "(6, [0, 1, 2])"


def test_what_has_used_a_constant_runs_again_where_another_value_was_given_for_it(notebook: OpenNotebook) -> None:
    notebook.run("n", "# parameters\nn = 3")
    notebook.run("load", "%%task load\nrows = list(range(n))")

    given = notebook.run("run", "%flow run -p n=5")
    back = notebook.run("run", "%flow run -p n=3")

    assert (given.status, back.status) == ("ok", "ok")
    assert notebook.value("rows") == "[0, 1, 2]"


def test_resume_runs_what_is_left(notebook: OpenNotebook) -> None:
    notebook.run("n", "n = 0")
    notebook.run("count", "counted = []")
    notebook.run("good", "%%task good\ncounted.append(1)\nx = 1")
    notebook.run("bad", "%%task bad\nratio = 1 / n")
    notebook.run("run", "%flow run --all")
    notebook.run("n", "n = 2")

    answer = notebook.run("run", "%flow resume")

    assert "✓ 1 cell in" in answer.said
    assert notebook.value("ratio, len(counted)") == "(0.5, 2)"
    assert "The last run ended well" in notebook.run("run", "%flow resume").said


def test_the_logs_of_a_task_are_those_of_the_last_run_that_it_was_in(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)
    notebook.run("run", "%flow run --all")
    notebook.run("run", "%flow run --only square")

    said = notebook.run("logs", "%flow logs load").said

    assert "loading 3" in said
    assert "has no task" not in said


# -- versions, and what lands ------------------------------------------------------------------------------------------


def test_each_reader_gets_the_version_above_it_however_single_tasks_are_run(notebook: OpenNotebook) -> None:
    notebook.run("one", "%%task one\nx = 1")
    notebook.run("use one", "%%task use1\na = x")
    notebook.run("two", "%%task two\nx = 2")
    notebook.run("use two", "%%task use2\nb = x")

    for name in ("use1", "use2", "one", "use2", "use1"):
        assert notebook.run("run", f"%flow run --all\n%flow run {name}").status == "ok"

    assert notebook.value("a, b, x") == "(1, 2, 2)"


def test_a_version_that_a_later_cell_has_replaced_by_hand_is_made_again(notebook: OpenNotebook) -> None:
    notebook.run("one", "%%task one\nx = 1")
    notebook.run("use one", "%%task use1\na = x")
    notebook.run("two", "x = 2")

    answer = notebook.run("run", "%flow run use1")

    assert "✓ 2 cells in" in answer.said
    assert "'two'" not in answer.said
    assert notebook.value("a, x") == "(1, 2)"


def test_a_name_that_an_ordinary_cell_has_made_of_an_older_value_is_told(notebook: OpenNotebook) -> None:
    notebook.run("n", "n = 1")
    notebook.run("one", "%%task one\nx = n")
    notebook.run("more", "# more\nx = x + 1")
    notebook.run("n", "n = 10")

    answer = notebook.run("run", "%flow run")

    assert "x is still what '3 more' has made of an older value of 'one': run that cell again." in answer.said
    assert notebook.value("x") == "2"
    notebook.run("mine", "x = 3")
    assert "older value" not in notebook.run("again", "%flow run --all").said


def test_what_a_cell_binds_and_deletes_is_its_own_and_nothing_of_it_is_told(notebook: OpenNotebook) -> None:
    notebook.run("x", "x = y = 'of the notebook'")
    for name, options in (("left", ""), ("right", "--executor processes"), ("alone", "--executor main")):
        notebook.run(name, f"%%task {name} {options}\nx = 1\ndel x\nif y:\n    y = 1\n    del y\n{name} = 1")
        notebook.run("x", "x = y = 'of the notebook'")

    answer = notebook.run("run", "%flow run --all")

    assert answer.said.startswith("✓ ")
    assert notebook.value("x") == "'of the notebook'"


def test_changes_of_one_object_keep_their_order(notebook: OpenNotebook) -> None:
    notebook.run("make", "%%task make\nrows = []")
    notebook.run("first", "%%task first\nrows.append('first')")
    notebook.run("see", "%%task see\nseen = list(rows)")
    notebook.run("second", "%%task second\nrows.append('second')")

    for _ in range(3):
        assert notebook.run("run", "%flow run --all").status == "ok"

    assert notebook.value("rows, seen") == "(['first', 'second'], ['first'])"


def test_a_process_that_begins_while_a_cell_waits_to_be_alone_holds_up_nobody(notebook: OpenNotebook) -> None:
    notebook.run("late", "import threading\nlate, q_ends, ready = [], threading.Event(), threading.Event()")
    notebook.run("a", "%%task a --executor processes\nimport time\nif late: time.sleep(2.5)\na = 1")
    notebook.run("q", "%%task q --pure\nq = 1\nif late: q_ends.set()")
    notebook.run("alone", "%%task alone --executor main --needs q --pure\nb = 1")
    notebook.run("pre", "%%task pre --pure\nif late: q_ends.wait(30) and ready.wait(1)\npre = 1")
    notebook.run("c", "%%task c --executor processes --needs pre\nc = pre + 1")
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run a q alone pre c")

    assert "✓ 5 cells in" in answer.said


def test_a_failed_task_lands_nothing(notebook: OpenNotebook) -> None:
    notebook.run("n", "n = 1\nx = 'before'")
    notebook.run("bad", "%%task bad\nx = 'half'\nx = 1 / n")
    notebook.run("n", "n = 0\nx = 'before'")

    notebook.run("run", "%flow run")

    assert notebook.value("x") == "'before'"


def test_what_nobody_saw_coming_lands_and_is_told(notebook: OpenNotebook, folder: Path) -> None:
    (folder / "binds_for_others.py").write_text(
        "import sys\ndef bind():\n    sys._getframe(1).f_globals['surprise'] = [4]\n"
    )
    notebook.run("import", "import binds_for_others")
    notebook.run("task", "%%task t\nbinds_for_others.bind()")

    answer = notebook.run("run", "%flow run --all")

    assert answer.status == "ok"
    assert "'t' has bound surprise, which the analysis did not see coming; the values have landed." in answer.said
    assert notebook.value("surprise") == "[4]"


# -- cells that are edited, moved, deleted -----------------------------------------------------------------------------


def test_an_edited_cell_is_stale_with_all_below(notebook: OpenNotebook) -> None:
    a_pipeline(notebook)
    notebook.run("double", "%%task double\ndoubled = [row * 3 for row in rows]")

    answer = notebook.run("run", "%flow status")

    assert "✓ double  up to date" in answer.said
    assert "total   stale: 'double' has run again, which it needs" in answer.said


def test_a_renamed_cell_leaves_no_ghost(notebook: OpenNotebook) -> None:
    notebook.run("a", "%%task double\ndoubled = 2")
    notebook.run("b", "%%task other\nother = 2")
    notebook.run("a", "%%task twice\ndoubled = 2")

    said = notebook.run("run", "%flow run double").said

    assert said == "There is no task cell 'double'. Task cells: twice, other."


def test_an_edited_helper_makes_what_uses_it_stale(notebook: OpenNotebook, folder: Path) -> None:
    (folder / "helper_of_mine.py").write_text("def made():\n    return 1\n")
    notebook.run("import", "%load_ext autoreload\n%autoreload 2\nimport helper_of_mine")
    notebook.run("use", "%%task use\nmade = helper_of_mine.made()")
    assert "up to date" in notebook.run("run", "%flow status").said
    (folder / "helper_of_mine.py").write_text("def made():\n    return 'another value'\n")

    said = notebook.run("run", "%flow status").said
    notebook.run("run", "%flow run")

    assert "stale: helper_of_mine.py has changed" in said
    assert notebook.value("made") == "'another value'"


def test_nothing_of_a_run_is_kept_alive(notebook: OpenNotebook) -> None:
    notebook.run("class", "import gc, weakref\nclass Large:\n    pass\nseen = []")
    notebook.run("make", "%%task make\nlarge = Large()\nseen.append(weakref.ref(large))")
    notebook.run("use", "%%task use\nnumber = id(large)")
    notebook.run("run", "%flow run --all")

    notebook.run("let go", "large = None")
    notebook.run("collect", "gc.collect();")

    assert notebook.value("len(seen), [ref() for ref in seen]") == "(2, [None, None])"


# -- lazy --------------------------------------------------------------------------------------------------------------


def test_in_the_lazy_mode_a_task_runs_before_the_cell_that_needs_it(notebook: OpenNotebook) -> None:
    notebook.run("mode", "%flow mode lazy")
    notebook.run("a", "%%task a\na = 1\nprint('a runs')")
    notebook.run("b", "%%task b\nb = 2\nprint('b runs')")

    answer = notebook.run("use", "print(a)")

    assert notebook.shown("a") == [("stdout", "a runs\n")]
    assert notebook.text("b") == "Task 'b' is registered; `%flow run` runs it.\n"
    assert answer.said.endswith("1\n")


def test_in_the_lazy_mode_the_line_itself_runs_what_it_is_told(notebook: OpenNotebook) -> None:
    notebook.run("mode", "%flow mode lazy")
    notebook.run("a", "%%task a\na = 1")
    notebook.run("b", "%%task b\nb = 2")

    status = notebook.run("status", "%flow status")
    answer = notebook.run("run", "%flow run b")

    assert "a  stale: has not run yet" in status.said
    assert "✓ 1 cell in" in answer.said
    assert notebook.value("b") == "2"
    assert notebook.value("a") == "NameError"


def test_cells_that_ran_before_the_extension_was_loaded_have_run(notebook: OpenNotebook) -> None:
    notebook.run("load", "%unload_ext notebook_flows")
    notebook.run("before", "del get_ipython()._notebook_flows_session\nn = 2")
    notebook.run("load", "%load_ext notebook_flows\nm = 3")
    notebook.run("use", "%%task use\nused = n + m")
    notebook.run("again", "%flow run --all")

    said = notebook.run("status", "%flow status").said

    assert "✓ use  up to date" in said


@pytest.mark.parametrize("around", ["%%time\n", "%time ", "%%capture said\n"])
def test_a_run_within_another_magic_waits(notebook: OpenNotebook, around: str) -> None:
    notebook.run("a", "%%task a\nx = 1")

    answer = notebook.run("run", f"{around}%flow run --all")

    assert answer.status == "ok", answer.said
    assert ("✓ 1 cell in" in answer.said) != (around == "%%capture said\n")
