"""Small mean notebooks, each of one trick that Python has; `%%` between cells, those that are tasks begin with `T`."""

from __future__ import annotations

NASTY = {
    "a walrus in a comprehension": "a = [1, 2]%%T b = [y := q for q in a]%%T y = [0]%%T print(y)%%T c = [y]",
    "a walrus in a condition": "a = [1]%%T if (m := a): m.append(2)%%T b = list(a)%%T a.append(3)",
    "a counter in a closure": (
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    return up\n"
        "up = make()%%T a = up()%%T b = up()%%T c = up()"
    ),
    "two closures of one variable": (
        "def make():\n    n = [0]\n    return (lambda: n.append(1)), (lambda: list(n))\nadd, see = make()"
        "%%T a = see()%%T add()%%T b = see()"
    ),
    "a class body": "a = [1]%%T class K:\n    kept = a\n    n = len(a)%%T K.kept.append(2)%%T b = list(a)%%T c = K.n",
    "an attribute of a class": "class K: n = 1%%T K.n = 2%%T a = K().n%%T K.n += 1%%T b = K.n",
    "a method that changes its class": (
        "class K:\n    n = 0\n    @classmethod\n    def up(cls): cls.n += 1\n    @staticmethod\n    def see(): return K.n"
        "%%T a = K.see()%%T K.up()%%T b = K.see()"
    ),
    "a match statement": (
        "a = {'k': [1], 'l': 2}%%T match a:\n    case {'k': [x], **rest}: y = rest\n    case _: y = 0"
        "%%T a['k'].append(3)%%T match a:\n    case {'k': k}: k.append(4)%%T b = str(a)"
    ),
    "finally": "a = [1]%%T try:\n    a[9]\nexcept IndexError as e:\n    b = [a]\nfinally:\n    a.append(2)%%T c = list(a)%%T b[0].append(3)",
    "a star that unpacks": "a = [[1], [2], [3]]%%T first, *rest = a%%T rest[0].append(4)%%T b = str(a)%%T rest.append(5)%%T c = str(a)",
    "an attribute that is added to": (
        "class O: pass\no = O()\no.x = [1]\no.n = 1\nl = o.x%%T a = list(l)%%T o.x += [2]%%T b = list(l)%%T o.n += 1%%T c = o.n"
    ),
    "an item that is added to": "d = {'k': [1]}\nl = d['k']%%T d['k'] += [2]%%T a = list(l)%%T d['n'] = len(l)%%T b = dict(d)",
    "a slice that is deleted": "a = [1, 2, 3]%%T b = sum(a)%%T del a[1:]%%T c = sum(a)%%T a[:] = [7, 8]%%T e = sum(a)",
    "a decorator that registers": (
        "known = {}\ndef register(f):\n    known[f.__name__] = f\n    return f%%T @register\ndef one(): return 1"
        "%%T @register\ndef two(): return 2%%T a = [known[k]() for k in sorted(known)]%%T b = list(known)"
    ),
    "a registry in a base class": (
        "class Base:\n    kinds = []\n    def __init_subclass__(cls): Base.kinds.append(cls.__name__)"
        "%%T class A(Base): pass%%T a = list(Base.kinds)%%T class B(Base): pass%%T b = list(Base.kinds)"
    ),
    "a context manager of the notebook": (
        "log = []\nclass Step:\n    def __enter__(self): log.append('in')\n    def __exit__(self, *_): log.append('out')"
        "%%T a = list(log)%%T with Step(): x = 1%%T b = list(log)"
    ),
    "a context manager by a generator": (
        "from contextlib import contextmanager\nlog = []\n@contextmanager\ndef step(n):\n    log.append(n)\n    yield log\n"
        "    log.append(-n)%%T a = list(log)%%T with step(1) as l: b = list(l)%%T c = list(log)%%T with step(2): pass"
    ),
    "a generator that two cells read": "g = (q for q in [1, 2, 3, 4])%%T a = next(g)%%T b = next(g)%%T c = list(g)",
    "a generator with state": (
        "def count():\n    n = 0\n    while True:\n        n += 1\n        yield n\ng = count()%%T a = next(g)%%T b = next(g)%%T c = [next(g)]"
    ),
    "a generator that reads a list late": "a = [1]\ng = (q for q in a)%%T a.append(2)%%T b = list(g)%%T a.append(3)",
    "a zip that is read twice": "z = zip([1, 2], [3, 4])%%T a = list(z)%%T b = list(z)",
    "an enumerate in two loops": "e = enumerate('abcd')%%T for i, c in e:\n    if i == 1: break%%T for j, d in e: pass",
    "a map with a function that changes": (
        "a = [[1], [2]]\ndef f(x):\n    x.append(0)\n    return len(x)%%T m = map(f, a)%%T b = str(a)%%T c = list(m)%%T d = str(a)"
    ),
    "a file in memory": "import io\nf = io.StringIO('1\\n2\\n3')%%T a = f.readline()%%T b = f.readline()%%T c = f.read()",
    "an iterator over lines": "import io\nf = io.StringIO('1\\n2\\n3')%%T a = next(f)%%T b = [l for l in f]%%T c = list(f)",
    "a csv reader": "import csv\nr = csv.reader(['a,b', '1,2', '3,4'])%%T head = next(r)%%T rows = list(r)",
    "the global random state": "import random%%T random.seed(1)%%T a = random.random()%%T b = random.random()%%T random.seed(2)",
    "a generator of random numbers": "import random\nr = random.Random(1)%%T a = r.random()%%T b = r.random()%%T c = r.choice([1, 2, 3])",
    "a generator of random numbers in a function": (
        "import random\nr = random.Random(1)\ndef draw(): return r.randint(0, 99)%%T a = draw()%%T b = draw()%%T c = [draw()]"
    ),
    "NumPy's generator, passed about": (
        "import numpy as np\nrng = np.random.default_rng(1)\ndef draw(g): return int(g.integers(0, 999))"
        "%%T a = draw(rng)%%T b = draw(rng)%%T c = int(rng.integers(0, 999))"
    ),
    "the working directory": "import os\nhere = os.getcwd()%%T os.chdir('/')%%T a = os.getcwd()%%T os.chdir(here)%%T b = os.getcwd() == here",
    "the environment": (
        "import os%%T os.environ['NF_NASTY'] = '1'%%T a = os.environ.get('NF_NASTY')%%T os.environ['NF_NASTY'] = '2'"
        "%%T b = os.getenv('NF_NASTY')%%T del os.environ['NF_NASTY']%%T c = 'NF_NASTY' in os.environ"
    ),
    "a view of an array": (
        "import numpy as np\na = np.arange(4)\nv = a[1:]%%T x = int(a.sum())%%T v[0] = 9%%T y = int(a.sum())%%T a[2] = 7%%T z = int(v.sum())"
    ),
    "a reshaped view": "import numpy as np\na = np.zeros(4)%%T m = a.reshape(2, 2)%%T m[0, 0] = 5%%T y = float(a.sum())%%T m.T[1] = 3%%T z = float(a.sum())",
    "an array that is added to": "import numpy as np\na = np.ones(3)\nb = a%%T x = float(b.sum())%%T a += 1%%T y = float(b.sum())",
    "a column that is popped": (
        "import pandas as pd\ndf = pd.DataFrame({'a': [1], 'b': [2]})%%T x = list(df.columns)%%T c = df.pop('a').tolist()"
        "%%T y = list(df.columns)%%T df['d'] = 3%%T z = list(df)"
    ),
    "a chained assignment": (
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})%%T x = df.a.tolist()%%T df.loc[df.a > 1, 'a'] = 9%%T y = df.a.tolist()"
        "%%T s = df['a']%%T df.iloc[0, 0] = 5%%T z = s.tolist()"
    ),
    "columns that are renamed in place": (
        "import pandas as pd\ndf = pd.DataFrame({'a': [1]})%%T x = list(df)%%T df.columns = ['b']%%T y = list(df)%%T df.insert(0, 'c', 2)%%T z = list(df)"
    ),
    "views of a dict": "d = {'a': 1}\nk = d.keys()\nv = d.values()%%T a = list(k)%%T d['b'] = 2%%T b = list(k), list(v)%%T d.pop('a')%%T c = list(d.items())",
    "exec": "a = 1%%T b = a%%T exec('a = 2')%%T c = a%%T a = 3%%T e = a",
    "a name by globals()": "x = 1%%T a = x%%T globals()['x'] = 2%%T b = x%%T globals().update(y=x)%%T c = y",
    "a star import": "sqrt = len%%T a = sqrt([1])%%T from math import *%%T b = sqrt(4.0)%%T c = floor(2.5)",
    "a default that is kept": "a = [1]%%T f = lambda x=a: len(x)%%T a.append(2)%%T b = f()%%T a = [7]%%T c = f()",
    "a default that remembers": "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)%%T a = f(1)%%T b = f(2)%%T c = f(3)",
    "global in a function that a task calls": "n = 0\ndef up():\n    global n\n    n += 1\n    return n%%T a = up()%%T b = n%%T c = up()%%T d = n",
    "a patched module": (
        "import math as m, types\nfake = types.SimpleNamespace(pi=3)%%T a = fake.pi%%T fake.pi = 4%%T b = fake.pi%%T setattr(fake, 'pi', 5)%%T c = fake.pi"
    ),
    "a patched library": (
        "import string\nold = string.digits%%T a = string.digits%%T string.digits = 'x'%%T b = string.digits%%T string.digits = old%%T c = string.digits"
    ),
    "a function of a library that is replaced": (
        "import textwrap\nold = textwrap.dedent%%T a = textwrap.dedent(' x')%%T textwrap.dedent = lambda t: 'new'"
        "%%T b = textwrap.dedent(' x')%%T textwrap.dedent = old%%T c = textwrap.dedent(' y')"
    ),
    "import a.b": "import os.path%%T import xml.dom%%T a = xml.dom.__name__%%T import xml.sax%%T b = xml.sax.__name__",
    "sys.path": "import sys\nold = list(sys.path)%%T sys.path.append('/nf')%%T a = '/nf' in sys.path%%T sys.path[:] = old%%T b = '/nf' in sys.path",
    "a queue": "from collections import deque\nq = deque([1, 2, 3])%%T a = q.popleft()%%T b = q.pop()%%T c = list(q)%%T q.rotate(1)",
    "a heap": "import heapq\nh = [3, 1, 2]\nheapq.heapify(h)%%T a = heapq.heappop(h)%%T b = heapq.heappop(h)%%T c = list(h)",
    "a cache": (
        "from functools import lru_cache\ncalls = []\n@lru_cache\ndef f(x):\n    calls.append(x)\n    return x%%T a = f(1)%%T b = len(calls)%%T c = f(2)%%T d = len(calls)"
    ),
    "a partial that holds a list": (
        "from functools import partial\na = []\nput = partial(list.append, a)%%T put(1)%%T b = list(a)%%T put(2)%%T c = list(a)"
    ),
    "a method as a function": "a = [1]\nput = a.append%%T b = list(a)%%T put(2)%%T c = list(a)%%T do = map(put, [3, 4])%%T list(do)%%T d = list(a)",
    "a property that changes": (
        "class P:\n    def __init__(self): self.n = 0\n    @property\n    def next(self):\n        self.n += 1\n        return self.n\np = P()"
        "%%T a = p.next%%T b = p.next%%T c = p.n"
    ),
    "an operator of the notebook": (
        "class V:\n    seen = []\n    def __init__(self, n): self.n = n\n    def __add__(self, o):\n        V.seen.append(o.n)\n        return V(self.n + o.n)\n"
        "v = V(1)%%T a = (v + v).n%%T b = len(V.seen)%%T c = (v + V(2)).n%%T d = len(V.seen)"
    ),
    "an item getter of the notebook": (
        "class D(dict):\n    def __missing__(self, k):\n        self[k] = len(self)\n        return self[k]\nd = D()%%T a = d['x']%%T b = d['y']%%T c = dict(d)"
    ),
    "a defaultdict": "from collections import defaultdict\nd = defaultdict(list)%%T a = len(d)%%T d['k']%%T b = len(d)%%T d['l'].append(1)%%T c = len(d)",
    "a setter by name": "class O: pass\no = O()\no.x = 1%%T a = o.x%%T setattr(o, 'x', 2)%%T b = o.x%%T vars(o)['x'] = 3%%T c = o.x%%T o.__dict__['x'] = 4%%T d = o.x",
    "a swap": "a = [1]\nb = [2]%%T a, b = b, a%%T a.append(3)%%T c = list(b)%%T d = list(a)",
    "a loop that leaves its name": "rows = [[1], [2]]%%T for r in rows: pass%%T r.append(3)%%T a = str(rows)%%T for r in rows: r.append(4)%%T b = str(rows)",
    "an alias in an instance": "a = [1]\nclass B:\n    def __init__(self, x): self.x = x%%T o = B(a)%%T o.x.append(2)%%T b = list(a)%%T o.x = [9]%%T a.append(3)%%T c = list(o.x)",
    "a del between": "x = [1]%%T y = x%%T del x%%T x = [2]%%T y.append(3)%%T z = x + y",
    "a sorted list with a key that changes": "a = [[2], [1]]\ndef key(q):\n    q.append(0)\n    return q[0]%%T b = sorted(a, key=key)%%T c = str(a)%%T b[0].append(5)%%T d = str(a)",
    "a coroutine-less async name": "async def f(): return 1%%T g = f%%T h = g.__name__",
    "recursion through two functions": (
        "log = []\ndef even(n):\n    log.append(n)\n    return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)%%T a = even(4)%%T b = len(log)%%T c = odd(3)%%T d = len(log)"
    ),
    "an ordinary cell in between": "a = [1]%%T b = list(a)%%a.append(2)%%T c = list(a)%%T a.append(3)%%d = list(a)%%a = [4]%%T e = list(a)",
    "a conditional import": "try:\n    import nothing_like_it as m\nexcept ImportError:\n    import math as m%%T a = m.floor(2.5)%%T m = None%%T b = m",
    "an exception that is kept": "a = [1]%%T try:\n    raise ValueError(a)\nexcept ValueError as e:\n    kept = e%%T kept.args[0].append(2)%%T b = list(a)",
    "a chained comparison that calls": "n = [0]\ndef up():\n    n.append(1)\n    return len(n)%%T a = up() < up() < up()%%T b = len(n)%%T c = up()",
    "a format that calls": "class F:\n    n = 0\n    def __format__(self, s):\n        F.n += 1\n        return str(F.n)\nf = F()%%T a = f'{f}'%%T b = f'{f}'%%T c = F.n",
    "a truth that calls": "class T:\n    n = 0\n    def __bool__(self):\n        T.n += 1\n        return True\nt = T()%%T if t: a = 1%%T b = T.n%%T c = not t%%T d = T.n",
    "an iteration of the notebook": (
        "class I:\n    n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n        if self.n % 3 == 0: raise StopIteration\n        return self.n\ni = I()"
        "%%T a = list(i)%%T b = list(i)%%T c = i.n"
    ),
}


def cells(text: str) -> list[tuple[str, bool]]:
    """(source, is a task) of each cell; what precedes the first task is an ordinary cell."""
    parts = text.split("%%")
    return [(part.removeprefix("T "), part.startswith("T ")) for part in parts]
