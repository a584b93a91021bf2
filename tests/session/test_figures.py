"""Each task that draws has pyplot's figures to itself, and shows them in its own cell; the kernel's cells keep theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from talking import ROUTED, Answer, Kernel, kernels

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    for kernel in kernels(tmp_path_factory.mktemp("kernel")):
        kernel.run(ROUTED)
        kernel.run("from notebook_flows.session.figures import own_figures\nbarrier = threading.Barrier(2)")
        yield kernel


def pictures(answer: Answer, parent: str | None = None) -> list[str]:
    return [one.kind for one in answer.of(parent) if "image/png" in one.content.get("data", {})]


def test_routing_and_turns_do_not_import_matplotlib(kernel: Kernel) -> None:
    code = """
def one():
    with own_figures(): print("matplotlib" in sys.modules)
as_tasks(one=one)
print("matplotlib" in sys.modules)
"""

    answer = kernel.run(code)

    assert answer.by_parent() == {"one": "False\n", "": "False\n"}


def test_a_task_that_is_the_first_to_import_matplotlib_keeps_its_figures_from_the_kernels_cells(kernel: Kernel) -> None:
    started = kernel.run("""
drawn, go = threading.Event(), threading.Event()
def one():
    with own_figures():
        import matplotlib.pyplot as plt
        plt.plot([1, 2])
        drawn.set()
        go.wait(30)
        plt.title("more")
thread = threading.Thread(target=as_tasks, kwargs={"one": one})
thread.start()
drawn.wait(30)
""")
    meanwhile = kernel.run("import matplotlib.pyplot as plt; print(plt.get_fignums())")

    ended = kernel.run("go.set(); thread.join(); print(plt.get_fignums())")

    assert pictures(started) == pictures(started, "one") == pictures(meanwhile) == []
    assert meanwhile.text() == ended.text() == "[]\n"
    assert pictures(ended, "one") == ["display_data"]
    assert pictures(ended) == []


def test_two_tasks_draw_at_the_same_time_each_on_its_own_figure(kernel: Kernel) -> None:
    code = """
def drawing(name, figures):
    def body():
        import matplotlib.pyplot as plt
        for n in range(figures):
            barrier.wait(30)
            plt.figure()
            plt.plot([n])
            plt.title(name)
            barrier.wait(30)
        print(plt.get_fignums(), {plt.figure(n).axes[0].get_title() for n in plt.get_fignums()})
    return body
plt.figure(); plt.title("the kernel's")
as_tasks(one=drawing("one", 2), two=drawing("two", 2))
print(plt.get_fignums(), plt.gca().get_title())
"""

    answer = kernel.run(code)

    assert answer.by_parent() == {"one": "[1, 2] {'one'}\n", "two": "[1, 2] {'two'}\n", "": "[1] the kernel's\n"}
    assert pictures(answer, "one") == pictures(answer, "two") == ["display_data"] * 2
    assert pictures(answer) == ["display_data"]
    assert pictures(kernel.run("pass")) == []


def test_show_shows_in_the_cell_of_the_task_and_once(kernel: Kernel) -> None:
    code = """
def one():
    with own_figures():
        plt.plot([1]); print("before"); plt.show(); print("after")
as_tasks(one=one)
"""

    answer = kernel.run(code)

    assert [one.content.get("text", "picture") for one in answer.of("one")] == ["before\n", "picture", "after\n"]


def test_a_closed_figure_is_not_shown_and_a_failing_tasks_figure_is(kernel: Kernel) -> None:
    closed = kernel.run("as_tasks(one=lambda: (plt.plot([1]), plt.close()))")
    failed = kernel.run("as_tasks(one=lambda: (plt.plot([1]), 1 / 0))")

    assert pictures(closed, "one") == []
    assert pictures(failed, "one") == ["display_data"]
    assert failed.reply["ename"] == "ZeroDivisionError"


def test_a_failing_tasks_error_comes_before_its_figure_as_by_hand(kernel: Kernel) -> None:
    code = """
def one():
    try:
        with own_figures(): plt.plot([1]); 1 / 0
    except ZeroDivisionError:
        sinks["one"].error("ZeroDivisionError", "", [])
as_tasks(one=one)
"""

    assert [one.kind for one in kernel.run(code).of("one")] == ["error", "display_data"]


def test_pandas_draws_in_the_cell_of_the_task(kernel: Kernel) -> None:
    code = """
import pandas as pd
def one():
    with own_figures(): pd.Series([1, 2]).plot()
as_tasks(one=one)
"""

    answer = kernel.run(code)

    assert pictures(answer, "one") == ["display_data"]
    assert pictures(answer) == []


def test_tasks_that_say_so_take_turns_and_on_a_loop_nobody_waits(kernel: Kernel) -> None:
    code = """
import asyncio
inside, most = [], []
def body():
    with own_figures():
        inside.append(1); most.append(len(inside)); inside.pop()
as_tasks(**{f"t{n}": body for n in range(8)})
async def waiting(n):
    with own_figures():
        inside.append(1); await asyncio.sleep(0.01); most.append(-len(inside)); inside.pop()
await asyncio.gather(waiting(1), waiting(2))
print(max(most), min(most))
"""

    answer = kernel.run(code)

    assert answer.text() == "1 -2\n"


def test_nothing_holds_the_figures_of_a_task_that_is_over(kernel: Kernel) -> None:
    code = """
import gc, weakref
def one():
    global figure
    with own_figures(): figure = weakref.ref(plt.figure())
as_tasks(one=one)
gc.collect()
print(figure())
"""

    assert kernel.run(code).text() == "None\n"


def test_after_uninstalling_pyplots_table_is_its_own_again(kernel: Kernel) -> None:
    kernel.run("plt.close('all'); uninstall(get_ipython())")

    answer = kernel.run("from matplotlib._pylab_helpers import Gcf; print(type(Gcf.figs).__name__)\nplt.plot([1]);")

    assert answer.text() == "OrderedDict\n"
    assert pictures(answer) == ["display_data"]
