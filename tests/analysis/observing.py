"""What cells really read and bind, seen instruction by instruction while they run in document order."""

from __future__ import annotations

import builtins
import dis
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FrameType

_LOADS = {"LOAD_NAME", "LOAD_GLOBAL"}
_STORES = {"STORE_NAME", "STORE_GLOBAL"}
_DELETES = {"DELETE_NAME", "DELETE_GLOBAL"}
_OWN = set(dir(builtins)) | {"get_ipython", "display", "__name__", "__annotations__", "__builtins__"}


@dataclass
class Observed:
    """Names of the notebook that one cell has read before it bound them, and those that it has bound at its end."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)


def observed(sources: Sequence[str], names: dict[str, Any]) -> list[Observed]:
    """Runs the cells from the top."""
    return [_observed(compile(source, f"<cell {number}>", "exec"), names) for number, source in enumerate(sources)]


def _observed(code: CodeType, names: dict[str, Any]) -> Observed:
    found = Observed()
    instructions: dict[CodeType, dict[int, dis.Instruction]] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith("<cell "):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            every = instructions.get(frame.f_code)
            if every is None:
                every = instructions[frame.f_code] = {step.offset: step for step in dis.get_instructions(frame.f_code)}
            _note(found, every[frame.f_lasti], frame)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        exec(code, names)
    finally:
        sys.settrace(before)
    return found


def _note(found: Observed, step: dis.Instruction, frame: FrameType) -> None:
    name, is_global = str(step.argval), frame.f_locals is frame.f_globals or step.opname.endswith("GLOBAL")
    if step.opname in _LOADS:
        is_local = frame.f_locals is not frame.f_globals and name in frame.f_locals
        if name not in found.bound and name not in _OWN and not (step.opname == "LOAD_NAME" and is_local):
            found.reads.add(name)
    elif step.opname in _STORES and is_global and name not in _OWN:
        found.bound.add(name)
        found.writes.add(name)
    elif step.opname in _DELETES and is_global:
        found.bound.discard(name)
