"""Cells executed in IPython, in this process: they are registered, and run as ever."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from notebook_flows import load_ipython_extension, unload_ipython_extension
from notebook_flows.session.session import Mode, Session, session_of, start, stop
from notebook_flows.session.taskline import task_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """IPython as in a terminal, without a history file."""
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    monkeypatch.delattr(builtins, "_", raising=False)  # doctests leave it there, and IPython respects it
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def session(shell: Any) -> Session:
    found = session_of(shell)
    start(found)
    return found


def run(shell: Any, source: str, **more: Any) -> Any:
    return shell.run_cell(source, store_history=True, **more)


# -- a task cell runs as any other -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\nx + 1",
        "%%time\nx = 2\nx",
        "import asyncio\nawait asyncio.sleep(0)\nx = 3\nx",
        "x = !echo four\nx[0]",
        "%env HOME",
        "def f():\n    return 6\nf();",
    ],
)
def test_it_has_the_same_value_and_the_same_last_expression(shell: Any, session: Session, source: str) -> None:
    plain = run(shell, source)

    made = run(shell, f"%%task name --retries 2\n{source}")

    assert made.success
    assert made.result == plain.result
    assert shell.user_ns["_"] == plain.result or plain.result is None


def test_its_last_expression_is_in_out_and_underscore(shell: Any, session: Session) -> None:
    made = run(shell, "%%task\n40 + 2")

    assert (shell.user_ns["_"], shell.user_ns["Out"][made.execution_count]) == (42, 42)


def test_its_error_is_shown_once_with_the_right_line(
    shell: Any, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(shell, "%%task\nx = 1\n\ny = x / 0")

    shown = capsys.readouterr().out
    assert isinstance(made.error_in_exec, ZeroDivisionError)
    assert shown.count("ZeroDivisionError: division by zero") == 1
    assert "----> 4 y = x / 0" in shown


def test_post_mortem_finds_the_frame_of_the_cell(shell: Any, session: Session) -> None:
    import sys

    run(shell, "%%task\ndef f(inner):\n    return inner / 0\nf(5)")

    trace = sys.last_traceback
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is not None
    assert trace.tb_frame.f_locals["inner"] == 5


def test_a_mistake_in_the_task_line_is_told_before_anything_runs(
    shell: Any, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in ("%%task --retrys 3", "# %%task --retrys 3", "\n%%task --retrys 3\n%%time"):
        made = run(shell, f"{line}\nran = 1")

        assert not made.success
        assert capsys.readouterr().out == (
            "TaskCellError: %%task --retrys 3: there is no option --retrys. Did you mean '--retries'?\n"
        )
    assert "ran" not in shell.user_ns


def test_the_line_is_taken_away_once_however_often_it_is_asked_for(shell: Any, session: Session) -> None:
    lines = ["%%task load\n", "%%time\n", "x = 1\n"]

    once = task_line(lines)

    assert once == ["%%time\n", "# %%task load\n", "x = 1\n"]
    assert task_line(once) == once
    assert session.book.is_empty


def test_a_cell_that_is_typed_in_a_terminal_goes_on_after_its_task_line(shell: Any, session: Session) -> None:
    first_line, whole = "%%task load", "%%task load\nx = 1\n\n"

    answers = [shell.check_complete(first_line)[0], shell.check_complete(whole)[0]]

    assert answers == ["incomplete", "complete"]


def test_help_is_there(shell: Any, session: Session) -> None:
    info = shell.object_inspect("%%task")

    assert info["found"]
    assert "--retry-delay S" in info["docstring"]


def test_without_the_transformer_the_magic_does_what_it_can(
    shell: Any, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.input_transformers_cleanup.remove(task_line)

    made = run(shell, "%%task load{x}\nx = !echo one\nx[0]")

    assert made.success
    assert (shell.user_ns["x"], shell.user_ns["_"]) == (["one"], "one")
    assert "one" in capsys.readouterr().out


def test_without_the_transformer_an_await_is_refused_in_words(
    shell: Any, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.input_transformers_cleanup.remove(task_line)

    made = run(shell, "%%task\nran = 1\nawait nothing()")

    assert not made.success
    assert "`%reload_ext notebook_flows` puts it back" in capsys.readouterr().out
    assert "ran" not in shell.user_ns


# -- and is known ------------------------------------------------------------------------------------------------------


def test_cells_are_known_as_they_were_written(shell: Any, session: Session) -> None:
    run(shell, "helper = 1")
    run(shell, "%%task load --timeout 5\nx = helper")

    plain, made = session.book.records()

    assert (plain.source, plain.is_task, plain.has_succeeded) == ("helper = 1", False, True)
    assert (made.name, made.options.timeout_s, made.execution_count) == ("load", 5, 2)


def test_cells_of_before_and_the_one_that_loads_us_are_known_too(shell: Any) -> None:
    run(shell, "import math\nearly = 1")
    run(shell, "this is no Python")

    run(shell, "%load_ext notebook_flows\nsame_cell = early")

    session = session_of(shell)
    assert [one.source for one in session.book.records()] == [
        "import math\nearly = 1",
        "%load_ext notebook_flows\nsame_cell = early",
    ]
    first, second = session.book.records()
    assert session.bindings.owner("early") == first.key
    assert session.bindings.owner("same_cell") == second.key


def test_loading_twice_is_loading_once(shell: Any) -> None:
    load_ipython_extension(shell)
    load_ipython_extension(shell)

    run(shell, "x = 1")

    assert [one.times for one in session_of(shell).book.records()] == [1]
    assert shell.input_transformers_cleanup.count(task_line) == 1


def test_after_unloading_nothing_of_us_is_left_in_ipython(shell: Any) -> None:
    before = (
        list(shell.input_transformers_cleanup),
        list(shell.ast_transformers),
        {event: list(functions) for event, functions in shell.events.callbacks.items()},
        sorted(shell.magics_manager.magics["cell"]),
        sorted(shell.magics_manager.magics["line"]),
    )
    load_ipython_extension(shell)

    unload_ipython_extension(shell)

    assert before == (
        list(shell.input_transformers_cleanup),
        list(shell.ast_transformers),
        {event: list(functions) for event, functions in shell.events.callbacks.items()},
        sorted(shell.magics_manager.magics["cell"]),
        sorted(shell.magics_manager.magics["line"]),
    )


def test_reloading_keeps_what_is_known(shell: Any, session: Session) -> None:
    run(shell, "x = 1")
    stop(session)

    start(session_of(shell))
    run(shell, "y = 2")

    assert [one.source for one in session_of(shell).book.records()] == ["x = 1", "y = 2"]


def test_what_a_cell_runs_inside_is_no_cell(shell: Any, session: Session) -> None:
    run(shell, "get_ipython().run_cell('inner = 1', store_history=True)\nget_ipython().run_cell('more = 1')\nouter = 1")

    records = session.book.records()

    assert [one.has_succeeded for one in records] == [True]
    assert {"inner", "more", "outer"} <= {
        name for name, owner in session.bindings.owners.items() if owner.key == records[0].key
    }


def test_silent_and_blank_cells_are_none(shell: Any, session: Session) -> None:
    shell.run_cell("hidden = 1")
    shell.run_cell("silent = 1", silent=True)
    run(shell, "   ")

    assert session.book.is_empty


# -- who has bound what ------------------------------------------------------------------------------------------------


def test_who_bound_a_name_last_is_known(shell: Any, session: Session) -> None:
    first = run(shell, "x = []\ny = 1")
    run(shell, "%%task more\nx = x + [1]\ndel y")

    one, two = session.book.records()

    assert first.success
    assert session.bindings.owner("x") == two.key
    assert session.bindings.owner("y") is None
    assert session.bindings.owners["x"].execution == 2
    assert session.bindings.versions["x"] == 2
    assert one.key != two.key


def test_a_change_of_an_object_counts_as_a_version(shell: Any, session: Session) -> None:
    run(shell, "x = []")
    run(shell, "x.append(1)")

    versions = dict(session.bindings.versions)

    assert versions["x"] == 2
    assert session.bindings.owner("x") == session.book.records()[0].key


def test_a_name_bound_anew_to_the_same_object_is_bound_anew(shell: Any, session: Session) -> None:
    run(shell, "x = 5")
    run(shell, "x = 5  # again")

    assert session.bindings.owner("x") == session.book.records()[1].key


def test_what_a_failed_cell_has_bound_is_its_own(shell: Any, session: Session) -> None:
    run(shell, "%%task first\nx = object()\nz = 1")
    run(shell, "%%task second\nx = object()\n1 / 0\nz = 2")

    first, second = session.book.records()

    assert (session.bindings.owner("x"), session.bindings.owner("z")) == (second.key, first.key)


def test_names_of_ipython_are_nobodys(shell: Any, session: Session) -> None:
    run(shell, "1 + 1")
    run(shell, "_")

    assert dict(session.bindings.owners) == {}


def test_no_value_is_kept_alive(shell: Any, session: Session) -> None:
    import gc
    import weakref

    run(shell, "class Big: pass\nbig = Big()")
    held = weakref.ref(shell.user_ns["big"])

    run(
        shell,
        "%%task\nbig = None\nimport gc; gc.collect()\nheld_now = [one for one in gc.get_objects() if type(one) is Big]",
    )

    gc.collect()
    assert shell.user_ns["held_now"] == []
    assert held() is None


# -- whatever happens --------------------------------------------------------------------------------------------------


def test_an_error_of_ours_is_a_warning_and_never_the_cells(
    shell: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the book is torn")

    monkeypatch.setattr(session.book, "register", broken)

    with pytest.warns(RuntimeWarning, match="could not follow this cell: RuntimeError: the book is torn") as warned:
        first, second = run(shell, "x = 1"), run(shell, "y = 2")

    assert (first.success, second.success, shell.user_ns["y"]) == (True, True, 2)
    assert len(warned) == 1


def test_an_interrupted_cell_has_ended(shell: Any, session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%%task\nraise KeyboardInterrupt")

    run(shell, "after = 1")

    assert [one.has_succeeded for one in session.book.records()] == [False, True]
    assert session.bindings.owner("after") == session.book.records()[1].key


def test_autoreload_goes_on(shell: Any, session: Session, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "reloaded_helper.py"
    module.write_text("def answer(): return 1\n")
    run(shell, "%load_ext autoreload\n%autoreload 2\nimport reloaded_helper")

    module.write_text("def answer(): return 42\n")
    os.utime(module, (2e9, 2e9))
    made = run(shell, "%%task\nreloaded_helper.answer()")

    assert made.result == 42


# -- lazy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["ran = 1", "%%time\nran = 1", "!touch ran", "ran = await nothing()"])
def test_where_it_is_lazy_a_task_cell_only_registers(
    shell: Any, session: Session, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.mode = Mode.LAZY

    made = run(shell, f"%%task load\n{body}")

    assert made.success
    assert "ran" not in shell.user_ns
    assert capsys.readouterr().out == "Task 'load' is registered; `%flow run` runs it.\n"
    assert [(one.name, one.has_succeeded) for one in session.book.records()] == [("load", None)]


def test_where_it_is_lazy_ordinary_cells_run(shell: Any, session: Session) -> None:
    session.mode = Mode.LAZY
    run(shell, "%%task load\nx = 1")

    made = run(shell, "y = 2\ny")

    assert made.result == 2


def test_where_it_is_lazy_a_cell_that_is_no_python_says_so(
    shell: Any, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.mode = Mode.LAZY

    made = run(shell, "%%task load\nx = = 1")

    assert isinstance(made.error_before_exec, SyntaxError)
