"""A console at a kernel, such as `jupyter console`, shows text only: it gets a line for each task that ends, then the tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from talking import PATIENCE_S

if TYPE_CHECKING:
    from talking import Kernel

FLOW = """
from notebook_flows import Flow, task

@task
def slow(number):
    print("slow", number)
    if number == 2: raise ValueError("no two")

@task
def add(numbers): pass

with Flow("interactive") as flow: add(slow.map([1, 2]))
"""


def execute(kernel: Kernel, code: str) -> list[tuple[str, str]]:
    """As a console does; what it is told: (kind, text)."""
    client = kernel.client
    content = {
        "code": code, "silent": False, "store_history": True, "user_expressions": {},
        "allow_stdin": True, "stop_on_error": True,
    }  # fmt: skip
    message = client.session.msg("execute_request", content)
    client.shell_channel.send(message)
    told = []
    while True:
        got = client.get_iopub_msg(timeout=PATIENCE_S)
        if got["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        kind, about = got["msg_type"], got["content"]
        if kind == "status" and about["execution_state"] == "idle":
            break
        text = about.get("text") or (about.get("data") or {}).get("text/plain") or about.get("evalue") or ""
        told.append((kind, text))
    client.get_shell_msg(timeout=PATIENCE_S)
    return told


def text_of(told: list[tuple[str, str]]) -> list[str]:
    """The lines on the screen, with blanks and times made alike."""
    text = "".join(text for kind, text in told if kind == "stream")
    return [re.sub(r"[\d.]+ m?s\b", "T", re.sub(r" {2,}", "  ", line)) for line in text.splitlines()]


@pytest.fixture
def console(kernel: Kernel) -> Kernel:
    execute(kernel, "%load_ext notebook_flows")
    return kernel


@pytest.mark.parametrize("line", ["state = flow.run()", "%flow run interactive"])
def test_a_flow_is_told_in_lines_and_its_tree_once(console: Kernel, line: str) -> None:
    execute(console, FLOW)

    told = execute(console, line)

    assert text_of(told)[:4] == [
        "slow 1",
        "slow 2",
        "✗ slow  failed  T  1 of 2 failed  ValueError: no two",
        "⊘ add  upstream failed  after slow",
    ]
    [shown] = [("stream", text) for kind, text in told if kind == "display_data"]  # none that would never change
    assert text_of([shown]) == [
        "Flow 'interactive': 1 failed, 1 upstream failed, 1 success",
        "✗ slow  failed  T  1 of 2 failed  ValueError: no two",
        "└─ ⊘ add  upstream failed  after slow",
    ]


def test_task_cells_are_told_in_lines_too(console: Kernel) -> None:
    execute(console, "%%task a\nx = 1")
    execute(console, "%%task b\ny = x + 1")

    told = execute(console, "%flow run --all")

    said = text_of(told)
    assert said[:2] == ["✓ a  success  T", "✓ b  success  T"]
    assert said[2].startswith("✓ 2 cells in")
    [tree] = [text for kind, text in told if kind == "display_data"]
    assert [line.split()[:3] for line in tree.splitlines()[1:]] == [["✓", "a", "success"], ["└─", "✓", "b"]]
