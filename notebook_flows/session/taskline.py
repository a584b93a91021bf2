"""How a task cell runs by hand as if it were none: an input transformer, and a cell magic for help and for other shells."""

from __future__ import annotations

import ast
from typing import Any

from notebook_flows.analysis.taskcell import BARE, TaskCellError, asks_for_help, task_cell, without_task_line
from notebook_flows.errors import FlowError

HELP = """Make this cell a task of the notebook's flow; by hand it runs as it would without this line.

    %%task [name] [options]

What the task takes and gives is found out from the names that the cell reads and binds. `%flow run` runs what is not
up to date, in parallel where it can; `%flow explain` shows what waits for what, and why.

    name, --name NAME    what people call it; else the comment that the cell begins with, or what it binds first
    --retries N          try a failed cell again, N times
    --retry-delay S      rest S seconds before; 30, 1.5, 5m, 1h
    --timeout S          an attempt that takes longer has failed
    --cache, --no-cache  whether results of earlier runs may be used
    --needs a,b          wait for these tasks, whatever the cell reads
    --reads x,y          the names that it reads, in place of those that are found
    --writes z           the names that it binds or changes, in place of those that are found
    --pure               it changes no object of other cells
    --executor, -x WHERE threads, processes or main, the kernel's main thread
    --tags t1,t2         labels

The same can be said in a comment, `# %%task ...`, or by the cell tags `task` and `task:name`.
"""


def print_help() -> None:
    """Say what can be written behind `%%task`."""
    print(HELP)


class AwaitInMagicError(FlowError):
    """A task cell awaits, and the input transformer that would let it is not there."""

    def __str__(self) -> str:
        return (
            "This task cell awaits, and runs as a plain cell magic here, which cannot await: something has taken the "
            "input transformer of notebook_flows away. `%reload_ext notebook_flows` puts it back."
        )


def task_line(lines: list[str]) -> list[str]:
    """The lines of a cell without its task line, for IPython to go on with; done twice, it is done once.

    A task line that cannot be understood stays the cell's first, so that its magic says why, before anything runs.
    """
    source = "".join(lines)
    if "%%task" not in source:
        return lines
    first = source.strip().splitlines()[0]
    if source.strip() == BARE or (first.startswith(BARE) and asks_for_help(first.removeprefix(BARE))):
        return [f"__import__({__name__!r}, fromlist=['print_help']).print_help()\n"]
    try:
        task_cell(source)
    except TaskCellError as error:
        return lines if lines[0].lstrip().startswith("%%task") else [f"{error.line}\n", *lines]
    return without_task_line(source).splitlines(keepends=True)


# While a cell is typed in a terminal, its end is looked for: there it has to look like the cell magic that it is.
task_line.has_side_effects = True  # type: ignore[attr-defined] # IPython's own mark


def task(line: str, cell: str) -> None:
    """Replaced by `HELP` below."""
    from IPython.core.getipython import get_ipython

    source = f"%%task {line}\n{cell}"
    task_cell(source)
    _run(get_ipython(), without_task_line(source))


task.__doc__ = HELP
task._ipython_magic_no_var_expand = True  # type: ignore[attr-defined] # a name may hold braces


def _run(shell: Any, body: str) -> None:
    """Run a cell as `%%time` does: no magic can do better."""
    python = shell.transform_cell(body)
    name = shell.compile.cache(python, shell.execution_count, raw_code=body)
    tree = shell.transform_ast(shell.compile.ast_parse(python, filename=name))
    if shell.should_run_async(body, transformed_cell=python):
        raise AwaitInMagicError
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(shell.compile(tree, name, "exec"), shell.user_ns)  # noqa: S102 - the user's own cell
    if last is not None:
        exec(shell.compile(ast.Interactive([last]), name, "single"), shell.user_ns)  # noqa: S102 - displays its value
