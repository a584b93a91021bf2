"""Without a task, a kernel in which routing is installed publishes what any kernel does; and it can be taken out again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from talking import Answer, Kernel, kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = "from notebook_flows.session.routing import install, uninstall; install(get_ipython())"
UNINSTALL = "uninstall(get_ipython())"

CELLS = [
    "import sys, os, subprocess, threading, time, warnings, logging",
    "print('a'); print('b', file=sys.stderr); print('c')",
    "sys.stdout.write('x'), sys.stdout.writelines(['y', 'z']), sys.stdout.fileno() > 0, sys.stdout.isatty()",
    "1 + 1",
    "_, _6 if '_6' in globals() else None",
    "display({'a': 1}); display('x', display_id='me')",
    "from IPython.display import update_display, clear_output; update_display('y', display_id='me'); clear_output()",
    "1 / 0",
    "class Bad:\n    def __repr__(self): raise ValueError('no')\nBad()",
    "warnings.warn('careful')",
    "logging.warning('careful too')",
    "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()",
    "!echo shell",
    "x = !echo shell\nprint(x)",
    "subprocess.run(['echo', 'child']).returncode",
    "%%capture c\nprint('caught'); display('caught')",
    "c()",
    "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f: print('caught')\nf.getvalue()",
    "import asyncio; await asyncio.sleep(0); print('awaited')",
    "type(sys.stdout).__name__, type(sys.stdout).__module__, type(get_ipython().display_pub).__name__",
    "isinstance(sys.stdout, __import__('ipykernel.iostream').iostream.OutStream)",
    "import comm; comm.create_comm(target_name='x', comm_id='y').send({'n': 1})",
    "import matplotlib.pyplot as plt; plt.plot([1, 2]); print('drawn')",
    "plt.get_fignums()",
    "get_ipython().history_manager.outputs[2]",
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    for kernel in kernels(tmp_path_factory.mktemp("plain")):
        kernel.run("pass")
        yield [told(run(kernel, cell)) for cell in CELLS]


def run(kernel: Kernel, cell: str) -> Answer:
    """What a child prints comes when the kernel's thread reads it, perhaps after the cell."""
    if "'child'" not in cell:
        return kernel.run(cell)
    return kernel.run(cell, until=lambda all_: any("child" in one.content.get("text", "") for one in all_))


def told(answer: Answer) -> list[Any]:
    """What readers see of it: text joined by stream, since kernels cut it where time does."""
    texts = [re.sub(r"ipykernel_\d+", "ipykernel", answer.text(name=name)) for name in ("stdout", "stderr")]
    others = [(one.kind, _content(one.content)) for one in answer.of() if one.kind != "stream"]
    return [texts, others, answer.reply["status"], answer.reply["execution_count"]]


def _content(content: dict[str, Any]) -> dict[str, Any]:
    if "image/png" in content.get("data", {}):
        return {**content, "data": {**content["data"], "image/png": len(content["data"]["image/png"]) > 1_000}}
    return content


def test_without_a_task_all_messages_are_a_plain_kernels(
    plain: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for kernel in kernels(tmp_path_factory.mktemp("installed")):
        kernel.run(INSTALL)

        published = [told(run(kernel, cell)) for cell in CELLS]

        for cell, ours, theirs in zip(CELLS, published, plain, strict=True):
            assert ours == theirs, cell


def test_after_uninstalling_all_messages_are_a_plain_kernels(
    plain: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for kernel in kernels(tmp_path_factory.mktemp("uninstalled")):
        kernel.run(f"{INSTALL}\n{UNINSTALL}\n{INSTALL.split(';')[1]}\n{UNINSTALL}\ndel install, uninstall")

        published = [told(run(kernel, cell)) for cell in CELLS]

        for cell, ours, theirs in zip(CELLS, published, plain, strict=True):
            assert ours == theirs, cell


def test_uninstalling_leaves_nothing_of_ours_behind(tmp_path: Any) -> None:
    look = """
import sys, threading, subprocess, contextlib, concurrent.futures
from IPython.utils.capture import capture_output
def ours():
    shell = get_ipython()
    classes = [type(sys.stdout), type(sys.stderr), type(shell.display_pub), type(shell.displayhook)]
    functions = [threading.Thread.start, subprocess.Popen.__init__, concurrent.futures.ThreadPoolExecutor.submit,
        contextlib.redirect_stdout.__enter__, capture_output.__enter__, shell._showtraceback, shell.kernel.get_parent]
    names = [one.__mro__[1].__module__ + "." + one.__mro__[1].__name__ for one in classes]
    return names + [getattr(one, "__func__", one).__module__ for one in functions]
"""
    for kernel in kernels(tmp_path):
        kernel.run(look)
        before = kernel.run("print(ours())").text()

        kernel.run(INSTALL)
        during = kernel.run("print(ours())").text()
        kernel.run(UNINSTALL)
        after = kernel.run("print(ours())").text()

        assert "notebook_flows" in during
        assert after == before
