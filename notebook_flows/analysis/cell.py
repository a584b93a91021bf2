"""From the text of a cell to what is known of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from notebook_flows.analysis import magics
from notebook_flows.analysis.facts import CellFacts
from notebook_flows.analysis.heap import Heap, Value
from notebook_flows.analysis.lowering import lowered
from notebook_flows.analysis.naming import BUILTIN_NAMES, is_history
from notebook_flows.analysis.source import mistake_in, names_in
from notebook_flows.analysis.walking import TooIntricateError, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notebook_flows.analysis.program import Code, Program


@lru_cache(maxsize=4096)
def analyse(source: str) -> CellFacts:
    """What a cell reads, binds and mutates.

    It never raises: a cell that does not parse is opaque, and binds perhaps what its text looks like binding.

    >>> facts = analyse("total = price * count")
    >>> sorted(facts.reads), sorted(facts.binds)
    (['count', 'price'], ['total'])
    """
    try:
        program = lowered(source)
        if program is None:
            names = names_in(source)
            return CellFacts(opaque=("syntax",), mistake=mistake_in(source), binds=names, may_bind=names)
        return _facts(program)
    except (RecursionError, TooIntricateError):
        return CellFacts(opaque=("too intricate to follow",))


magics._LISTENERS.append(analyse.cache_clear)


def _facts(program: Program) -> CellFacts:
    heap = Heap()
    walk = Walk(heap, "cell", _nothing_above)
    walk.own_texts, walk.own_names = program.texts, frozenset(program.texts)
    walk.through(program)
    outside = {number: name for name in (*walk.reads, *walk.history) for number in walk.taken[name]}
    binds = frozenset(walk.values)
    sure = frozenset(walk.sure)
    late = _read_by(program.all_codes) - walk.reads.keys() - sure
    reasons = list(walk.unseen)
    reasons += [f"a function binds {name} by global" for name in sorted(walk.global_writes)]
    return CellFacts(
        reads=frozenset(walk.reads),
        late=frozenset(late),
        builtins=frozenset(walk.builtins),
        binds=binds,
        may_bind=binds - sure,
        deletes=frozenset(walk.gone) - sure,
        passing=frozenset(walk.passing) - binds - walk.gone - walk.reads.keys(),
        mutates=frozenset(outside[number] for number in walk.written if number in outside),
        aliases={
            name: held
            for name, value in walk.values.items()
            if (held := frozenset(outside[n] for n in heap.closure(value) if n in outside))
        },
        function_late={name: _read_by(codes) for name, codes in program.codes.items()},
        function_writes={
            name: written
            for name, codes in program.codes.items()
            if (written := frozenset().union(*(code.global_binds for code in codes)))
        },
        opaque=tuple(reasons),
        star=program.star,
        magics=program.magics,
        has_await=program.has_await,
        uses_pyplot=walk.uses_pyplot,
        hidden_state=frozenset(walk.hidden),
        effects=tuple(walk.effects),
        files=frozenset(walk.files),
        history=frozenset(walk.history),
        imports=program.imports,
        only_imports=program.only_imports,
        functions=program.functions,
        lines=dict(walk.lines),
        program=program,
    )


def _nothing_above(name: str) -> Value | None:
    return None


def _read_by(codes: Iterable[Code]) -> frozenset[str]:
    found = frozenset().union(*(code.free for code in codes))
    return frozenset(name for name in found if name not in BUILTIN_NAMES and not is_history(name))
