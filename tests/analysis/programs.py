"""Random notebooks, mean ones: aliases, nested lists, closures, globals, classes, generators, callbacks, redefinition."""

from __future__ import annotations

import sys
from types import ModuleType

from hypothesis import strategies as st

PRELUDE = """
import far_away
a = [1, [2]]
b = [[3], 4]
c = a
d = {"k": [5], "l": b}
n = 1
def peek(x): return [len(x), n, len(a)]
def poke(x, y=[0]):
    x.append(n)
    y.append(len(x))
    return y
def same(x): return x
def deep(x, i):
    if i > 0:
        deep(x, i - 1)
    else:
        x.append(i)
    return x
def look(): return a
def make(x):
    count = [0]
    def inner(y):
        nonlocal x
        count.append(len(y))
        x = [y, n]
        return count
    return inner
def bump():
    global n
    n = n + 1
    return n
class Box:
    kept = []
    def __init__(self, x):
        self.x = x
    def add(self, y):
        self.x.append(y)
        return self
    def note(self):
        self.kept.append(n)
    def __len__(self):
        return len(self.x) + n
    @property
    def first(self):
        return self.x[0]
o = Box(b)
h = make(a)
fs = [peek, h]
it = iter([a, b, a, b, a, b, a, b])
g = (w for w in [a, b, b, a] for _ in [n])
"""
LISTS = ["a", "b", "c", "e", "f"]
LINES = [
    "{v} = {w}",
    "{v} = [{w}, 1]",
    "{v} = list({w})",
    "{v} = {w} + {u}",
    "{v} = {w}[:2]",
    "{v} = {w}.copy()",
    "{v}.append(len({w}))",
    "{v}.append({w})",
    "{v}[0] = {w}",
    "{v} += [{w}]",
    "{v}.extend([{w}, {u}])",
    "{v} = [{w} for _ in range(2)]",
    "{v} = [q for q in {w} if q is not {u}]",
    "{v}, {w} = {w}, {v}",
    "{v}: list = [n]",
    "if len({w}) % 2:\n    {v} = {u}\nelse:\n    {w}.append(n)",
    "if len({w}) % 2:\n    {v} = [{u}]",
    "if len({w}) % 2:\n    del {u}\n    {u} = [n]",
    "for q in [{w}, {u}]:\n    q.append(0)",
    "for q in [{w}, {u}]:\n    {v} = q\n    {v}.append(1)",
    "try:\n    {v} = {w}[99]\nexcept IndexError as error:\n    {v} = [str(error), {u}]",
    "n = n + 1",
    "n = len({v})",
    "{v} = [n]",
    "d['k'] = {v}",
    "d['k'].append(n)",
    "d.update(k={v})",
    "{v} = d['k']",
    "{v} = list(d.values())",
    "{v} = peek({w})",
    "{v} = poke({w})",
    "poke({v}, {w})",
    "{v} = same({w})",
    "{v} = deep({w}, 2)",
    "{v} = look()",
    "look().append(1)",
    "{v} = bump()",
    "{v} = [bump()]",
    "h = make({v})",
    "{v} = h({w})",
    "{v} = fs[0]({w})",
    "{v} = fs[-1]({w})",
    "fs = [same, poke]",
    "fs.append(h)",
    "fs = [lambda x: [n, x, {w}], peek]",
    "{v} = list(map(peek, [{w}, {u}]))",
    "{v} = list(map(poke, [{w}, {u}]))",
    "{v} = sorted([{w}, {u}], key=lambda q: [len(q), n])",
    "[poke(q) for q in [{w}]]",
    "o = Box({v})",
    "o.add({v})",
    "{v} = o.x",
    "{v} = [len(o)]",
    "{v} = [o.first]",
    "o.note()",
    "{v} = Box.kept",
    "o.extra = {v}",
    "{v} = next(it)",
    "{v} = [next(it)]",
    "it = iter([{v}, {w}, {v}, {w}])",
    "{v} = list(g)",
    "g = (len(q) + n for q in [{v}, {w}])",
    "{v} = far_away.poke({w})",
    "{v} = far_away.twist({w}, {u})",
    "{v} = far_away.call(peek, {w})",
    "{v} = far_away.call(same, {w})",
    "{v} = far_away.call(o.add, {w})",
    "def peek(x):\n    return [len(x), len({w})]",
    "def poke(x, y={w}):\n    x.append(len(y))\n    return x",
    "def same(x):\n    return [x, {w}]",
    "def look():\n    {w}.append(n)\n    return {u}",
    "look = lambda: {w}",
    "e = (lambda q: q + [n])({w})",
    "{v} = [(z := len({w})), z]",
    "with far_away.holder({w}) as q:\n    q.append(n)",
    "match {w}:\n    case [first, *rest]:\n        {v} = [rest, first]\n    case _:\n        {v} = [n]",
    "while len({w}) < 3:\n    {w}.append(n)",
    "assert len({w}) >= 0, n",
    "{v} = [*{w}, {u}]",
    "{v} = [x for x in [{w}, {u}]][0]",
    "{v} = ({w} or {u})",
    "{v} = {w} if n % 2 else {u}",
    "{v} = max([{w}, {u}], key=len)",
    "{v} = {w}.__class__({u})",
    "setattr(o, 'x', {w})",
    "{v} = getattr(o, 'x')",
    "from far_away import poke as same",
]


def _far_away() -> ModuleType:
    """A library that nothing is known of."""
    module = ModuleType("far_away")
    exec(
        """
def poke(x):
    x.append('poked')
    return x
def twist(x, y):
    x.append(y)
    return [y]
def call(f, x):
    return f(x)
class holder:
    def __init__(self, x): self.x = x
    def __enter__(self): return self.x
    def __exit__(self, *_): self.x.append('left')
""",
        vars(module),
    )
    return module


sys.modules["far_away"] = _far_away()


@st.composite
def notebooks(draw: st.DrawFn) -> list[tuple[str, bool]]:
    """A notebook out of a few kinds of lines and few names, again and again: so they meet one another."""
    lines = st.sampled_from(draw(st.lists(st.sampled_from(LINES), min_size=2, max_size=7, unique=True)))
    name = st.sampled_from(draw(st.lists(st.sampled_from(LISTS), min_size=2, max_size=4, unique=True)))
    line = st.builds(lambda line, v, w, u: line.format(v=v, w=w, u=u), lines, name, name, name)
    source = st.lists(line, min_size=1, max_size=3).map("\n".join)
    cells = st.lists(st.tuples(source, st.sampled_from([True, True, True, False])), min_size=2, max_size=7)
    return [(PRELUDE + "e = [6]\nf = [a]\n", False), *draw(cells)]


NOTEBOOK = notebooks()
