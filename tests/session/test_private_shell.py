"""Task cells in a shell: its settings hold, magics work, tracebacks call the cell by its number."""

from __future__ import annotations

import ast
import atexit
from typing import TYPE_CHECKING, Any

import pytest
from cells import ListSink
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from notebook_flows.session.code import prepare
from notebook_flows.session.exclusive import run_exclusive
from notebook_flows.session.private import run_private

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    found = InteractiveShell.instance(config=config)
    yield found
    InteractiveShell.clear_instance()
    atexit.unregister(found.atexit_operations)
    found.atexit_operations()


def run(shell: InteractiveShell, text: str, sink: ListSink | None = None, **more: Any) -> dict[str, Any]:
    code = prepare(text, key="k", name="load", shell=shell, **more)
    made = run_private(code, values={}, user_ns=shell.user_ns, sink=sink or ListSink(), shell=shell)
    return dict(made.bound)


def test_ipythons_own_syntax_works(shell: InteractiveShell) -> None:
    sink = ListSink()

    bound = run(shell, "name = 'x'\nlines = !echo {name} $name\n%time y = 2\n!exit 3\ny", sink)

    assert (bound["lines"], bound["y"], bound["_exit_code"]) == (["x x"], 2, 3)
    assert sink.only("result") == [("2",)]


def test_functions_of_other_cells_use_the_tasks_shell(shell: InteractiveShell) -> None:
    shell.run_cell("def listed(): \n    got = !echo from a function\n    return got")

    assert run(shell, "y = listed()")["y"] == ["from a function"]


def test_names_of_the_shell_are_no_values(shell: InteractiveShell) -> None:
    before = {name: shell.user_ns[name] for name in ("In", "Out", "_", "get_ipython")}

    assert run(shell, "x = 1\nx") == {"x": 1}
    assert {name: shell.user_ns[name] for name in before} == before


def test_tracebacks_call_the_cell_by_its_number_and_else_by_its_name(shell: InteractiveShell) -> None:
    told = []
    for number in (7, None):
        sink = ListSink()
        with pytest.raises(ZeroDivisionError):
            run(shell, f"# {number}\n1 / 0", sink, number=number)
        told.append(sink.only("error")[0][2])

    assert "Cell In[7], line 2" in told[0]
    assert "Cell In[load], line 2" in told[1]
    assert "----> 2 1 / 0" in told[0]


def test_futures_of_earlier_cells_hold(shell: InteractiveShell) -> None:
    shell.run_cell("from __future__ import annotations")

    assert run(shell, "def f(x: nowhere): pass\ny = f.__annotations__")["y"] == {"x": "nowhere"}


@pytest.mark.parametrize(
    ("how", "text", "results"),
    [("all", "1\n2", ["1", "2"]), ("none", "1", []), ("last_expr_or_assign", "x = 4", ["4"])],
)
def test_what_is_displayed_is_as_the_user_has_set_it(
    shell: InteractiveShell, how: str, text: str, results: list[str]
) -> None:
    shell.ast_node_interactivity = how
    sink = ListSink()

    run(shell, text, sink)

    assert sink.only("result") == [(one,) for one in results]


def test_transformers_of_the_user_hold(shell: InteractiveShell) -> None:
    class Doubled(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return ast.copy_location(ast.Constant(node.value * 2), node)

    shell.ast_transformers.append(Doubled())

    assert run(shell, "x = 4")["x"] == 8


def test_a_usage_error_is_one_line(shell: InteractiveShell) -> None:
    sink = ListSink()

    with pytest.raises(Exception, match="Environment"):
        run(shell, "%env NO_SUCH_NAME_HERE", sink)

    assert sink.only("error") == [("UsageError", "Environment does not have key: NO_SUCH_NAME_HERE",
                                   "UsageError: Environment does not have key: NO_SUCH_NAME_HERE")]  # fmt: skip


def test_alone_all_magics_work(shell: InteractiveShell) -> None:
    shell.register_magic_function(lambda line: shell.push({"made": line.upper()}), magic_name="shout")
    code = prepare("%shout it\ny = made", key="k", name="k", shell=shell)

    made = run_exclusive(code, values={}, user_ns=shell.user_ns, sink=ListSink(), shell=shell)

    assert (made.bound["made"], made.bound["y"]) == ("IT", "IT")
    assert "made" not in shell.user_ns
