"""``%load_ext notebook_flows``: the session listens, and ``%flow`` and ``%nbflow`` are there."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from notebook_flows.magics.completion import completions
from notebook_flows.magics.here import Here
from notebook_flows.magics.lazy import Settler
from notebook_flows.magics.line import flow_line, obey
from notebook_flows.session.session import session_of, start, stop

if TYPE_CHECKING:
    from notebook_flows.session.session import Session

SHORT, LONG = "flow", "nbflow"
_AWAITED = "_nbflow_awaited"
_RUNS = re.compile(
    r"^(?P<indent>[ \t]*)get_ipython\(\)\.run_line_magic\((?P<quote>['\"])(?:flow|nbflow)(?P=quote), "
    r"(?P<line>['\"](?:run|resume)\b.*)$"
)


def load(shell: Any) -> None:
    """Begin; done twice, it is done once."""
    session = session_of(shell)
    start(session)
    _give_help()
    others = shell.magics_manager.magics["line"].get(SHORT)
    names = [LONG] if others is not None and not _is_ours(others) else [SHORT, LONG]
    for name in names:
        shell.register_magic_function(_flow, "line", name)
        shell.set_hook("complete_command", completions, str_key=f"%{name}")
    if SHORT not in names:
        warnings.warn(
            "Another extension has `%flow` (ipyflow has it); `%nbflow` does what `%flow` says in our pages.",
            UserWarning,
            stacklevel=3,
        )
    shell.set_hook("complete_command", completions, str_key="%%task")
    shell.register_magic_function(_flow_awaited, "line", _AWAITED)
    loop = Here(session=session).loop()
    if loop is not None:
        from notebook_flows.magics.clicks import Clicks

        session.start_wish = Clicks(session, loop).start
    _settler_of(session).install()
    session.hooks.transformers.add("input_transformers_post", awaited_runs)


def unload(shell: Any) -> None:
    """End: nothing of ours is left."""
    lines = shell.magics_manager.magics["line"]
    for name in (SHORT, LONG, _AWAITED):
        if _is_ours(lines.get(name)):
            del lines[name]
    session = session_of(shell)
    session.hooks.transformers.remove("input_transformers_post", awaited_runs)
    session.start_wish = None
    _settler_of(session).uninstall()
    stop(session)


def _settler_of(session: Session) -> Settler:
    if session.settler is None:
        session.settler = Settler(session)
    found = session.settler
    assert isinstance(found, Settler)
    return found


def _is_ours(magic: Any) -> bool:
    return getattr(magic, "__module__", "") == __name__


def _flow(line: str) -> None:
    """Replaced by the help of the commands when the extension is loaded."""
    obey(Here(session=_session()), line)


def _flow_awaited(line: str) -> Any:
    """As ``%flow``, where the line is awaited."""
    return obey(Here(session=_session(), is_awaited=True), line) or _nothing()


async def _nothing() -> None:
    return None


def _session() -> Any:
    from IPython.core.getipython import get_ipython

    return session_of(get_ipython())


def _give_help() -> None:
    import click

    with click.Context(flow_line, info_name="%flow") as ctx:
        _flow.__doc__ = flow_line.get_help(ctx)


def awaited_runs(lines: list[str]) -> list[str]:
    """Let lines that run something be awaited, so that the kernel's event loop is free while they do; an input transformer.

    Lines inside functions stay as they are: there the thread waits. So do those that another magic runs, as below
    ``%%time``: few of them can await.
    """
    if _is_within_a_cell():
        return lines
    changed = [_awaited(line) for line in lines]
    if changed == lines or not _compiles("".join(changed)):
        return lines
    return changed


def _is_within_a_cell() -> bool:
    """Whether a cell is being executed already, so that what is to be changed is not the cell itself."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and session_of(shell).hooks.now is not None


def _awaited(line: str) -> str:
    found = _RUNS.match(line.rstrip("\n"))
    if found is None:
        return line
    return f"{found['indent']}await get_ipython().run_line_magic({_AWAITED!r}, {found['line']}\n"


def _compiles(source: str) -> bool:
    import ast

    try:
        compile(source, "<cell>", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
