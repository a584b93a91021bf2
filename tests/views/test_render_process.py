"""The process that lays out: limits, deaths, and that it never outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from pictured import HEAVY

from notebook_flows.views.layout import PictureError, Renderer

SMALL = 'digraph { a -> b [label="x"] }'
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals to a process that works in C code are POSIX")


@pytest.fixture
def renderer():
    one = Renderer()
    yield one
    one.close()


def until_busy(find_pid, busy_s=0.7):
    """Wait until the process has worked for longer than it takes to start, and return it."""
    while True:
        pid = find_pid()
        try:
            if pid is not None and psutil.Process(pid).cpu_times().user > busy_s:
                return pid
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.01)


def heavy_in_thread(renderer):
    told = []

    def draw():
        try:
            renderer.render(HEAVY, limit_s=60)
        except PictureError as error:
            told.append(str(error))

    thread = threading.Thread(target=draw)
    thread.start()
    return thread, told


@pytest.mark.parametrize(
    ("format_name", "begin"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("jpg", b"\xff\xd8")]
)
def test_a_picture_comes_in_the_format_that_was_asked_for(renderer, format_name, begin):
    assert renderer.render(SMALL, format_name).startswith(begin)


def test_one_process_serves_all_pictures(renderer):
    renderer.render(SMALL)
    first = renderer.pid
    renderer.render("digraph { c }")

    assert renderer.pid == first


def test_a_format_that_is_not_there_is_told_in_a_sentence(renderer):
    with pytest.raises(PictureError, match=r"cannot write 'webp'. Use svg, png, pdf or dot."):
        renderer.render(SMALL, "webp")

    assert renderer.render(SMALL)


def test_what_is_no_dot_is_told_in_a_sentence(renderer, capfd):
    with pytest.raises(PictureError, match="could not draw the picture"):
        renderer.render("digraph { a -> ")

    assert capfd.readouterr() == ("", "")
    assert renderer.render(SMALL)


def test_warnings_of_graphviz_are_nobody_s_business(renderer, capfd):
    renderer.render('digraph { a [shape=nonsense fontname="no such font"] }')

    assert capfd.readouterr() == ("", "")


def test_a_layout_that_takes_too_long_is_given_up(renderer):
    renderer.render(SMALL)
    process = psutil.Process(renderer.pid)

    with pytest.raises(PictureError, match=r"given up after 0.5 s"):
        renderer.render(HEAVY, limit_s=0.5)

    assert not process.is_running()
    assert renderer.render(SMALL)


@posix_only
def test_killed_while_it_waits_the_next_picture_starts_another(renderer):
    renderer.render(SMALL)
    first = renderer.pid
    os.kill(first, signal.SIGKILL)

    picture = renderer.render(SMALL)

    assert picture.startswith(b"<?xml")
    assert renderer.pid != first


@posix_only
def test_killed_in_the_middle_the_next_picture_works(renderer):
    thread, told = heavy_in_thread(renderer)
    os.kill(until_busy(lambda: renderer.pid), signal.SIGKILL)
    thread.join()

    picture = renderer.render(SMALL)

    assert told == ["Graphviz ended without a picture: it may have run out of memory, or was stopped."]
    assert picture.startswith(b"<?xml")


@posix_only
def test_ctrl_c_stops_the_layout_and_the_next_answer_is_the_next_picture(renderer):
    main = threading.main_thread().ident

    def press():
        until_busy(lambda: renderer.pid)
        signal.pthread_kill(main, signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        renderer.render(HEAVY, limit_s=60)
    presser.join()

    assert renderer.pid is None
    assert b">only<" in renderer.render("digraph { only }")


def test_threads_take_turns(renderer):
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: renderer.render(f"digraph {{ only{n} }}")}))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(f">only{n}<".encode() in found[n] for n in range(8))


PARENT = """
import sys, threading, time
from notebook_flows.views.layout import Renderer
renderer = Renderer()
if sys.argv[1] == "busy":
    threading.Thread(target=renderer.render, args=(sys.stdin.read(),), kwargs={"limit_s": 60}).start()
else:
    renderer.render("digraph { a }")
while renderer.pid is None:
    time.sleep(0.01)
print(renderer.pid, flush=True)
threading.Event().wait()
"""


@posix_only
@pytest.mark.parametrize("what", ["idle", "busy"])
def test_it_dies_with_its_parent(what):
    if what == "busy" and sys.platform != "linux":
        pytest.skip("elsewhere it ends at its time limit")
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=root,
    )
    try:
        if what == "busy":
            parent.stdin.write(HEAVY.encode())
        parent.stdin.close()
        child = psutil.Process(int(parent.stdout.readline()))
        if what == "busy":
            until_busy(lambda: child.pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()

    assert child.wait(timeout=20) in {None, 0, -signal.SIGKILL}


@posix_only
def test_left_alone_in_the_middle_it_ends_at_its_limit():
    child = subprocess.Popen(
        [sys.executable, "-m", "notebook_flows.views.render"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    import json

    child.stdin.write(json.dumps({"source": HEAVY, "format": "svg", "limit_s": 0.1}).encode() + b"\n")
    child.stdin.flush()

    assert child.wait(timeout=30) == 1

    child.stdin.close()


@posix_only
def test_a_program_that_ends_gives_up_the_picture_that_a_thread_waits_for(renderer):
    renderer.render(SMALL)
    thread, told = heavy_in_thread(renderer)
    until_busy(lambda: renderer.pid)
    child = renderer._child

    others = [threading.Thread(target=renderer.end) for _ in range(3)]
    for other in others:
        other.start()
    for other in [thread, *others]:
        other.join(30)

    assert told == ["The picture was given up: its program has ended."]
    assert child.process.returncode is not None
    assert renderer.pid is None


@posix_only
def test_a_fork_starts_a_process_of_its_own(renderer):
    renderer.render(SMALL)
    pid = os.fork()
    if not pid:
        ended = 1
        try:
            first = renderer.pid
            fine = renderer.render("digraph { fork }").count(b">fork<") == 2 and renderer.pid != first
            renderer.close()
            ended = 0 if fine else 2
        finally:
            os._exit(ended)

    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert b">parent<" in renderer.render("digraph { parent }")


def test_a_working_dot_is_used_where_it_is_installed(tmp_path, monkeypatch, renderer):
    dot = tmp_path / "dot"
    dot.write_text('#!/bin/sh\ncat >/dev/null\necho "<svg>$1</svg>"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert renderer.render(SMALL) == b"<svg>-Tsvg</svg>\n"


def test_a_dot_that_does_not_work_is_passed_over(tmp_path, monkeypatch, renderer):
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\nexit 1\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert b"<svg" in renderer.render(SMALL)


def test_modules_in_the_working_directory_are_not_taken_for_ours(tmp_path, monkeypatch, renderer):
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('not ours')")
    (tmp_path / "json.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)

    assert b"<svg" in renderer.render(SMALL)


def test_what_cannot_be_started_is_told_in_a_sentence():
    with pytest.raises(PictureError, match="Graphviz cannot be started"):
        Renderer(["/no/such/program"]).render(SMALL)


def test_what_ends_at_once_is_told_in_a_sentence():
    with pytest.raises(PictureError, match="ended without a picture"):
        Renderer([sys.executable, "-c", ""]).render(SMALL)
