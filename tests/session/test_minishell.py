"""`!`, `%time` and the like in a task: as by hand, in the task's own names; everything else says where it works."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from notebook_flows.session.commands import ShellCommandFailed
from notebook_flows.session.minishell import MiniShell, NeedsMainThread
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.routing import install, routed, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    install(None)
    yield
    uninstall(None)


STUBBORN_CHILD = "!(trap '' INT TERM; echo $$; exec sleep 100) & wait"


def group_has_ended(group: int, within_s: float = 30) -> bool:
    """Whether nothing of this process group is alive, or will be soon; who waits to be reaped is not alive."""
    living = [one for one in psutil.process_iter() if is_alive_in(one, group)]
    return not psutil.wait_procs(living, timeout=within_s)[1]


def is_alive_in(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


class Cell:
    """One task cell's run, in this thread."""

    def __init__(self, **names: Any) -> None:
        self.names = names
        self.sink = RecordingSink()
        self.shell = MiniShell(self.names)

    def run(self, text: str, **settings: Any) -> Cell:
        self.shell = MiniShell(self.names, **settings)
        self.names["get_ipython"] = self.shell.get_ipython
        with routed(self.sink):
            exec(TransformerManager().transform_cell(text), self.names)
        return self

    @property
    def printed(self) -> str:
        return "".join(one["text"] for one in self.sink.outputs if one["output_type"] == "stream")


def test_a_command_prints_into_the_cell_both_streams_in_order() -> None:
    cell = Cell().run("print('before')\n!echo out; echo err >&2; echo out\nprint('after')")

    assert cell.printed == "before\nout\nerr\nout\nafter\n"


def test_a_command_is_on_a_terminal_so_that_programs_print_line_by_line() -> None:
    assert Cell().run("!test -t 1 && echo terminal").printed == "terminal\n"


def test_the_output_of_a_command_comes_while_it_runs(tmp_path: Path) -> None:
    class Heard(RecordingSink):
        def stream(self, name: str, text: str) -> None:
            super().stream(name, text)
            heard.set()

    os.mkfifo(tmp_path / "go")
    heard = threading.Event()
    cell = Cell(path=tmp_path / "go")
    cell.sink = Heard()
    thread = threading.Thread(target=cell.run, args=("!echo first; read line < {path}; echo $$line",))
    thread.start()
    assert heard.wait(30)
    first = cell.printed
    with (tmp_path / "go").open("w") as go:
        go.write("second\n")
    thread.join(30)

    assert first == "first\n"
    assert cell.printed == "first\nsecond\n"


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("!echo $name {name.upper()} {1 + 1}", "value VALUE 2\n"),
        ("!echo $$HOME_OF_NOBODY.", ".\n"),
        ("!echo {{name}}", "{name}\n"),
        ("!awk 'BEGIN {print 1}'", "1\n"),
        ("def f(local):\n    !echo {local} {name}\nf('inner')", "inner value\n"),
        ("%time print('$name')", "$name\n"),
    ],
)
def test_a_line_is_filled_in_from_the_tasks_own_names(line: str, printed: str) -> None:
    assert Cell(name="value").run(line).printed.split("CPU times")[0] == printed


@pytest.mark.parametrize(
    ("command", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", -9), ("sh -c 'kill $$'", -15)]
)
def test_the_exit_code_is_kept(command: str, code: int) -> None:
    assert Cell().run(f"!{command}").names["_exit_code"] == code


@pytest.mark.parametrize(
    "line", ["x = !echo a; echo b >&2", "x = %sx echo a; echo b >&2", "x = get_ipython().getoutput('echo a; echo b')"]
)
def test_output_becomes_a_list_of_lines(line: str) -> None:
    cell = Cell().run(line)

    assert cell.names["x"] == ["a", "b"]
    assert cell.names["x"].s == "a b"
    assert cell.printed == ""


def test_a_failing_command_fails_the_task_where_that_is_asked_for() -> None:
    assert Cell().run("!false").names["_exit_code"] == 1
    for line in ("!false", "x = !false"):
        with pytest.raises(ShellCommandFailed, match=r"^!false failed with exit code 1\. Add `\|\| true`"):
            Cell().run(line, strict_shell=True)


def test_a_command_in_the_background_is_refused_as_by_hand() -> None:
    with pytest.raises(OSError, match="Background processes not supported"):
        Cell().run("!sleep 100 &")


def test_a_command_does_not_wait_for_what_it_leaves_behind() -> None:
    cell = Cell().run("!sleep 100 & echo $!")

    os.kill(int(cell.printed), 9)


@pytest.mark.parametrize(
    "line", ["!echo $$; sleep 100", "x = !echo $$ > pid; sleep 100", "!trap '' INT; echo $$; sleep 100"]
)
def test_a_stopped_task_ends_its_commands_and_begins_no_more(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cell = Cell()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            cell.run(line)
        except ShellCommandFailed as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not (cell.printed or ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text())):
        pass
    cell.shell.stop()
    thread.join(30)

    assert "was stopped" in str(ended[0])
    with pytest.raises(ShellCommandFailed, match="was stopped"):
        cell.shell.system("echo more")
    assert group_has_ended(int(cell.printed or (tmp_path / "pid").read_text()))


def test_a_stopped_task_ends_what_outlives_its_command() -> None:
    cell = Cell()

    def run() -> None:
        with pytest.raises(ShellCommandFailed, match="was stopped"):
            cell.run(STUBBORN_CHILD)

    thread = threading.Thread(target=run)
    thread.start()
    while not cell.printed:
        pass
    cell.shell.stop()
    thread.join(30)

    assert group_has_ended(int(cell.printed), within_s=5)


def test_an_error_of_who_takes_the_output_ends_the_command() -> None:
    class Full(RecordingSink):
        def stream(self, name: str, text: str) -> None:
            raise KeyboardInterrupt(text)

    cell = Cell()
    cell.sink = Full()

    with pytest.raises(KeyboardInterrupt) as raised:
        cell.run("!echo $$; sleep 100")

    assert group_has_ended(int(str(raised.value)))


def test_time_runs_in_the_tasks_names_and_tells_the_times() -> None:
    cell = Cell(n=2).run("%time m = n + 1\nx = %time n * 10")

    assert (cell.names["m"], cell.names["x"]) == (3, 20)
    assert cell.printed.count("CPU times: user") == 2
    assert cell.printed.count("Wall time:") == 2


def test_a_timed_cell_binds_its_names_and_raises_its_errors() -> None:
    cell = Cell(n=2).run("%%time\nm = n + 1\n!echo {m}\n")

    assert cell.names["m"] == 3
    assert cell.printed.startswith("3\nCPU times")
    with pytest.raises(ZeroDivisionError):
        Cell().run("%%time\n1 / 0\n")


def test_timeit_measures_and_gives_its_result_where_asked() -> None:
    cell = Cell(n=2).run("r = %timeit -n 2 -r 3 -o n + 1\n")

    assert (cell.names["r"].loops, cell.names["r"].repeat) == (2, 3)
    assert "per loop" in cell.printed
    assert "per loop" in Cell(n=2).run("%%timeit -n 1 -r 1 k = n\nk + 1\n").printed


def test_capture_keeps_what_its_cell_prints_and_the_names_it_binds() -> None:
    cell = Cell(n=2).run(
        "%%capture out\nprint('text', n)\nm = n\n!echo shell\nimport sys\nprint('err', file=sys.stderr)\n"
    )

    assert cell.printed == ""
    assert cell.names["m"] == 2
    assert cell.names["out"].stdout == "text 2\nshell\n"
    assert cell.names["out"].stderr == "err\n"


def test_what_is_raised_under_capture_fails_the_task() -> None:
    with pytest.raises(ZeroDivisionError):
        Cell().run("%%capture\n1 / 0\n")


def test_the_environment_and_the_directory_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_TEST", "here")

    cell = Cell().run("a = %env OF_THE_TEST\nb = %env\nc = %pwd")

    assert cell.names["a"] == cell.names["b"]["OF_THE_TEST"] == "here"
    assert cell.names["c"] == str(Path.cwd())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("%matplotlib inline", "%matplotlib"),
        ("%cd ..", "%cd"),
        ("%env A=1", "%env A=1"),
        ("%%bash\necho\n", "%%bash"),
        ("%no_such_thing", "%no_such_thing"),
        ("get_ipython().set_next_input('x')", "get_ipython().set_next_input"),
    ],
)
def test_what_needs_the_kernels_main_thread_says_so(text: str, named: str) -> None:
    with pytest.raises(NeedsMainThread, match="main thread") as raised:
        Cell().run(text)

    assert str(raised.value).startswith(f"{named} works in")
    assert "--executor main" in str(raised.value)


def test_what_it_has_not_can_be_asked_for_in_pythons_way() -> None:
    shell = MiniShell({})

    assert not hasattr(shell, "events")
    assert getattr(shell, "kernel", None) is None


def test_it_is_of_the_kernels_class_for_those_who_ask_whether_this_is_a_notebook() -> None:
    class ZMQInteractiveShell:
        def __init__(self) -> None:
            self.config: dict[str, Any] = {"IPKernelApp": {}}

    shell = MiniShell({}, shell=ZMQInteractiveShell())

    assert shell.__class__.__name__ == "ZMQInteractiveShell"
    assert "IPKernelApp" in shell.config
    assert isinstance(shell, MiniShell)


def test_standard_streams_are_what_they_were_when_all_is_over() -> None:
    uninstall(None)
    before = (sys.stdout, type(sys.stdout), sys.stderr, type(sys.stderr))

    install(None)
    install(None)
    uninstall(None)

    assert (sys.stdout, type(sys.stdout), sys.stderr, type(sys.stderr)) == before
