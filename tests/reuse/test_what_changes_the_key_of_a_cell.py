"""The table "What changes the key of a task cell" of docs/caching.md: each of its rows is a case here, and no others are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cells_seen import key_after, reason_after

from notebook_flows.fingerprints import Unhashable

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "caching.md"

SETUP = """
import json
import own_rates
LIMIT = 3
UNUSED = 1
def helper(x):
    return x + LIMIT
class Model:
    rate = 0.5
    def fit(self, x):
        return helper(x) * self.rate
"""
VALUES = "rows = [1, 2, 3]\nother = 'of another'"
TASK = """%%task sums --retries 1
# the sums
from own_rates import rate
total = helper(sum(rows)) + Model().fit(1)  # a comment
text = open("input.txt").read()
total"""

EDITS: dict[str, tuple[int, str, str, bool]] = {
    # row of the table: which cell, what is replaced, by what, whether the key changes
    "the code of the cell": (2, "helper(sum(rows))", "helper(max(rows))", True),
    "a function of the notebook that it calls": (0, "return x + LIMIT", "return x * LIMIT", True),
    "a global that such a function reads": (0, "LIMIT = 3", "LIMIT = 4", True),
    "a class of the notebook that it uses": (0, "rate = 0.5", "rate = 0.25", True),
    "a value that flows in": (1, "[1, 2, 3]", "[1, 2, 4]", True),
    "whether its last value is shown (a semicolon)": (2, "\ntotal", "\ntotal;", True),
    "a comment": (2, "  # a comment", "  # another", False),
    "layout: blank lines, line breaks, spaces, quotes": (2, '"input.txt"', "\n    'input.txt'\n", False),
    "its name and the options of its line": (2, "sums --retries 1", "totals --timeout 5", False),
    "a function of the notebook that it does not use": (0, "UNUSED = 1", "def UNUSED(): return 1", False),
    "a name that it does not read": (1, "'of another'", "'of yet another'", False),
    "the text of the cell that made a value, if the value is the same": (1, "[1, 2, 3]", "[1, 2] + [3]", False),
}
FILES = {
    'a file that its text names (`open("in.csv")`, `pd.read_csv(...)`)': ("input.txt", "another text", True),
    "a module of your own that it imports": ("own_rates.py", "rate = 2\n", True),
}
DECLARED = "a file of `--reads`"
BY_VALUE = "a file that a value names, where the text does not (`polars.read_csv(path)`)"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "input.txt").write_text("a text")
    (tmp_path / "own_rates.py").write_text("rate = 1\n")
    yield tmp_path
    sys.modules.pop("own_rates", None)


@pytest.mark.parametrize("row", EDITS)
def test_an_edit_changes_the_key_as_the_page_says(row: str) -> None:
    place, old, new, changes = EDITS[row]
    cells = [SETUP, VALUES, TASK]
    edited = [cell.replace(old, new) if number == place else cell for number, cell in enumerate(cells)]
    assert edited != cells

    before, after = key_after(*cells), key_after(*edited)

    assert (before != after) is changes


@pytest.mark.parametrize("row", FILES)
def test_a_file_changes_the_key_as_the_page_says(row: str, files: Path) -> None:
    import sys

    name, content, changes = FILES[row]
    before = key_after(SETUP, VALUES, TASK)
    sys.modules.pop("own_rates")  # another kernel will load it anew
    (files / name).write_text(content)

    after = key_after(SETUP, VALUES, TASK)

    assert (before != after) is changes


def test_a_declared_file_changes_the_key(files: Path) -> None:
    task = "%%task look --reads rows,input.txt\nfound = look_up(rows)"
    cells = ("def look_up(rows): return open('input' + '.txt').read()", VALUES, task)
    before = key_after(*cells)

    (files / "input.txt").write_text("another text")

    assert key_after(*cells) != before


def test_a_file_that_a_value_names_changes_the_key(files: Path) -> None:
    cells = (
        "import polars\nplace = {'in': ['input', 'input.txt']}",
        "%%task look\nfound = polars.read_csv(place['in'][1])",
    )
    before = key_after(*cells)

    (files / "input.txt").write_text("another text")

    assert key_after(*cells) != before


def test_each_row_of_the_page_is_tested_here() -> None:
    tested = {row: changes for row, (_, _, _, changes) in EDITS.items()}
    tested |= {row: changes for row, (_, _, changes) in FILES.items()} | {DECLARED: True, BY_VALUE: True}
    page = PAGE.read_text().partition("## The key of a task cell")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in page.splitlines()]

    written = {
        re.sub(r"\\(.)", r"\1", row[0]): row[1] == "yes" for row in rows if len(row) == 2 and row[1] in {"yes", "no"}
    }

    assert written == tested


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("!touch here", "the world outside"),
        ("open('out.txt', 'w').write('x')", "the world outside"),
        ("import requests\nrows2 = requests.get('http://x').json()", "the network (requests"),
        ("from urllib.request import urlopen\nx = urlopen('http://x').read()", "the network (urllib.request"),
        ("import time\nx = time.time()", "the clock (time.time)"),
        ("from datetime import datetime\nx = datetime.now()", "the clock (datetime.datetime.now)"),
        ("import random\nx = random.random()", "what nobody can see through (it uses the random state)"),
        ("import uuid\nx = uuid.uuid4()", "chance (uuid.uuid4)"),
        ("import os\nx = os.environ['HOME']", "the environment (os.environ)"),
        ("exec('x = 1')", "what nobody can see through (exec())"),
        ("x = open(str(rows[0])).read()", "files that its text does not name"),
        ("%matplotlib inline\nx = 1", "magics (%matplotlib)"),
        ("x = stamped()", "the clock (time.time)"),
    ],
)
def test_what_has_to_do_with_the_world_outside_is_not_cached_unless_it_asks(cell: str, said: str) -> None:
    setup = "import time\ndef stamped():\n    return time.time()"

    reason = reason_after(setup, VALUES, f"%%task\n{cell}")

    assert said in reason


@pytest.mark.parametrize(
    "cell",
    [
        "x = sum(rows)",
        "x = open('input.txt').read()",
        "import numpy as np\nx = np.random.default_rng(1).random()",
        "import datetime\nx = datetime.timedelta(days=1)",
        "print(rows)",
        "rows.append(1)",
    ],
)
def test_what_only_computes_may_be_cached(cell: str) -> None:
    assert reason_after(VALUES, f"%%task\n{cell}") == ""


@pytest.mark.parametrize(
    "cell",
    [
        "x = table.query('a > @n')",
        "x = table.eval('a + @n')",
        "x = pd.eval('n + 1')",
        "x = eval('n')",
        "x = globals()['n']",
        "x = above(table)",
    ],
)
def test_names_in_texts_that_are_evaluated_flow_in(cell: str) -> None:
    setup = "import pandas as pd\ntable = pd.DataFrame({'a': [1, 2]})\nn = %d\ndef above(t): return t.query('a > @n')\ng = [above]"

    keys = {key_after(setup % n, f"%%task\n{cell}") for n in (1, 2, 1)}

    assert len(keys) == 2


def test_a_query_in_a_function_that_is_held_in_a_list_flows_in() -> None:
    setup = "table = None\nn = %d\ngiven = [lambda t: t.query('a > @n')]"

    keys = {key_after(setup % n, "%%task\nx = given[0](table)") for n in (1, 2, 1)}

    assert len(keys) == 2


def test_a_query_whose_text_is_not_known_is_not_cached_unless_it_asks() -> None:
    assert "names in the text" in reason_after("table = None\nq = str(1)", "%%task\nx = table.query(q)")


POINT = "class Point:\n    def __init__(self): self.n = 0\n"
ONE, TWO = "\na = [1]\nb = a", "\na = [1]\nb = [1]"
ONE_OR_TWO = [
    ("a = [1]\nb = a", "a = [1]\nb = [1]", "a.append(2)\nx = len(b)"),
    ("a = [1]\nb = a", "a = [1]\nb = [1]", "x = a is b"),
    ("r = [0]\na = [r, r]", "a = [[0], [0]]", "a[0].append(1)\nx = len(a[1])"),
    ("a = [1]\nb = a", "a = [1]\nb = [1]", "x = [a, b]"),
    ("r = [0]\na = [r, r]", "a = [[0], [0]]", "x = a"),
    ("a = {'k': [1]}\nb = a['k']", "a = {'k': [1]}\nb = [1]", "b.append(2)\nx = a['k'][-1]"),
    (
        "import numpy as np\na = np.zeros(3)\nb = a[:]",
        "import numpy as np\na = np.zeros(3)\nb = a.copy()",
        "a[0] = 1\nx = b",
    ),
    (
        "import numpy as np\nc = np.zeros(4)\na, b = c[:2], c[:2]",
        "import numpy as np\nc = np.zeros(4)\na, b = c[:2], c[2:]",
        "a[0] = 1\nx = b.sum()",
    ),
    ("class A: pass\na = A()\na.k = b = [1]", "class A: pass\na = A()\na.k, b = [1], [1]", "b.append(2)\nx = len(a.k)"),
    ("a = []\ndef f(z=a): return z", "a = []\ndef f(z=[]): return z", "a.append(1)\nx = f()"),
    (f"{POINT}a = Point()\ns = {{a}}", f"{POINT}a = Point()\ns = {{Point()}}", "a.n = 5\nx = [one.n for one in s]"),
    (f"{POINT}a = Point()\nd = {{a: 1}}", f"{POINT}a = Point()\nd = {{Point(): 1}}", "a.n = 5\nx = [p.n for p in d]"),
    (
        f"{POINT}a, b = Point(), Point()\ns, t = {{a, b}}, [{{a}}]",
        f"{POINT}a, b = Point(), Point()\ns, t = {{a, b}}, [{{Point()}}]",
        "for one in s: one.n = 5\nx = [one.n for one in t[0]]",
    ),
    (
        f"{POINT}a = Point()\na.k = [1]\ns, b = {{a}}, a.k\ndel a",
        f"{POINT}a = Point()\na.k = [1]\ns, b = {{a}}, [1]\ndel a",
        "b.append(2)\nx = [one.k for one in s]",
    ),
    *[
        (f"{setup}{ONE}", f"{setup}{TWO}", cell)
        for setup, cell in (
            ("def same(p, q): return p is q", "x = same(a, b)"),
            ("def same(p, q): return id(p) == id(q)", "x = same(a, b)"),
            ("def same(p, q): return p is not q\ndef other(p, q): return same(p, q)", "x = other(a, b)"),
            ("class Pair:\n    def same(self, p, q): return p is q\npair = Pair()", "x = pair.same(a, b)"),
            ("same = [lambda p, q: p is q]", "x = same[0](a, b)"),
            ("import operator", "x = operator.is_(a, b)"),
            ("from operator import is_not", "x = is_not(a, b)"),
            ("import counting_objects", "x = counting_objects.same(a, b)"),
        )
    ],
]


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "counting_objects.py").write_text("def same(p, q): return p is q\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("counting_objects", None)


@pytest.mark.parametrize(("one", "two", "cell"), ONE_OR_TWO)
def test_whether_two_names_mean_one_object_changes_the_key_of_what_changes_it(
    one: str, two: str, cell: str, own_module: None
) -> None:
    del own_module
    keys = {key_after(setup, f"%%task\n{cell}") for setup in (one, two, one)}

    assert len(keys) == 2


def test_whether_two_names_mean_one_object_is_nothing_to_a_cell_that_only_reads() -> None:
    setup = "def number(p): return None if p is None else len(p)"
    task = "%%task\nnumber(b)\nx = None if a is None else len(a)"

    assert key_after(f"{setup}{ONE}", task) == key_after(f"{setup}{TWO}", task)


def test_the_order_of_a_set_is_nothing_to_what_changes_its_members() -> None:
    setup = f"{POINT}points = [Point() for _ in range(50)]\nfor place, one in enumerate(points): one.n = place\n"
    cells = [
        f"{setup}s = set(points)",
        f"{setup}s = set(reversed(points))",
        f"{setup}s = set(points[25:] + points[:25])",
    ]

    assert len({key_after(cell, "%%task\nfor one in s: one.n += 1\nx = points[0].n") for cell in cells}) == 1


def test_what_refers_to_itself_has_a_key_where_it_is_changed() -> None:
    setup = "a = [1]\na.append(a)"

    assert key_after(setup, "%%task\na.append(2)") == key_after(setup, "%%task\na.append(2)")


@pytest.mark.parametrize(
    ("setup", "cell"),
    [
        ("import configparser\nparser = configparser.ConfigParser()", "parser.read('input.txt')"),
        ("import configparser\nname = 'input.txt'\nparser = configparser.ConfigParser()", "parser.read(name)"),
        ("import fileinput", "x = list(fileinput.input('input.txt'))"),
        ("import runpy", "x = runpy.run_path('input.txt')"),
    ],
)
def test_files_that_are_read_in_other_ways_change_the_key(setup: str, cell: str, files: Path) -> None:
    before = key_after(setup, f"%%task\n{cell}")

    (files / "input.txt").write_text("another text")

    assert key_after(setup, f"%%task\n{cell}") != before


def test_an_attribute_of_a_function_changes_the_key() -> None:
    setup = "def f(): return f.k\nf.k = %d"

    keys = {key_after(setup % k, "%%task\nx = f()") for k in (1, 2, 1)}

    assert len(keys) == 2


OUTSIDE = [
    ("import numpy as np", "rng = np.random.default_rng()\nx = rng.random()", "chance"),
    ("from numpy.random import default_rng", "x = default_rng().random()", "chance"),
    ("import numpy as np", "x = np.random.default_rng(None).random()", "chance"),
    ("import numpy as np", "x = np.random.RandomState().rand()", "chance"),
    ("import random", "x = random.Random().random()", "chance"),
    ("import random", "x = random.SystemRandom().random()", "chance"),
    ("import pandas as pd", "x = pd.Timestamp('now')", "the clock"),
    ("import pandas as pd", "x = pd.to_datetime('today')", "the clock"),
    ("import numpy as np", "x = np.datetime64('now')", "the clock"),
    ("import time", "x = time.perf_counter()", "the clock"),
    ("from time import monotonic", "x = monotonic()", "the clock"),
    ("import sys", "x = sys.argv", "the environment"),
    ("import platform", "x = platform.node()", "the environment"),
    ("import getpass", "x = getpass.getuser()", "the environment"),
    ("", "x = hash('a')", "chance"),
    ("", "x = id(object())", "chance"),
    (
        "class Db:\n  def get(self):\n    import requests\n    return requests.get('x')\ndb = Db()",
        "x = db.get()",
        "the network",
    ),
    (
        "from datetime import datetime\nclass C:\n  def at(self): return datetime.now()\nc = C()",
        "x = c.at()",
        "the clock",
    ),
    ("from datetime import datetime\nclass C:\n  def at(self): return datetime.now()", "x = C().at()", "the clock"),
    (
        "from datetime import datetime\nclass C:\n  def at(self): return datetime.now()\nf = C().at",
        "x = f()",
        "the clock",
    ),
    ("from datetime import datetime\nfs = [lambda: datetime.now()]", "x = fs[0]()", "the clock"),
    ("from datetime import datetime\nfs = {'now': datetime.now}", "x = fs['now']()", "the clock"),
    ("from datetime import datetime\nimport functools\nf = functools.partial(datetime.now)", "x = f()", "the clock"),
    ("import time, functools\n@functools.cache\ndef f(): return time.time()", "x = f()", "the clock"),
    (
        "import time\ndef made():\n  def g(): return time.time()\n  def f(): return g()\n  return f\nf = made()",
        "x = f()",
        "the clock",
    ),
]


@pytest.mark.parametrize(("setup", "cell", "said"), OUTSIDE)
def test_chance_and_clocks_are_seen_wherever_they_are_used(setup: str, cell: str, said: str) -> None:
    assert said in reason_after(setup, f"%%task\n{cell}")


@pytest.mark.parametrize(
    ("setup", "cell"),
    [
        ("import numpy as np", "x = np.random.default_rng(7).random()"),
        ("import numpy as np\nseed = 7", "x = np.random.default_rng(seed).random()"),
        ("import random", "x = random.Random(7).random()"),
        ("import pandas as pd", "x = pd.Timestamp('2024-01-01')"),
        ("import pandas as pd", "x = pd.to_datetime(['2024-01-01'])"),
        ("class C:\n  def at(self): return 1\nc = C()\nfs = [c, c.at, len]", "x = c.at() + fs[1]()"),
        ("import sys", "x = sys.maxsize"),
        ("import pandas as pd\nt = pd.DataFrame({'a': [1]})", "x = t.a.sum()"),
    ],
)
def test_what_is_seeded_or_says_the_time_is_cached_where_all_is(setup: str, cell: str) -> None:
    assert reason_after(setup, f"%%task\n{cell}") == ""


TAKEN = "%%task --cache\n"
MODULE = "rate = 1\ntable = {'a': 1}\nclass Model:\n    rate = 1\ndef rated(): return rate\n"


@pytest.mark.parametrize(
    ("takes", "gives"),
    [
        ("x = own_rates.rate", "own_rates.rate = 5"),
        ("x = own_rates.rated()", "own_rates.rate = 5"),
        ("x = own_rates.table['a']", "own_rates.table['a'] = 5"),
        ("x = own_rates.Model.rate", "own_rates.Model.rate = 5"),
        ("x = own_rates.rated()", "own_rates.rated = lambda: 7"),
        ("def f(): return own_rates.table['a']\nx = f()", "own_rates.table['a'] = 5"),
    ],
)
def test_what_a_cell_takes_from_a_module_counts_as_it_is_and_not_as_it_was_loaded(
    takes: str, gives: str, tmp_path: Path
) -> None:
    (tmp_path / "own_rates.py").write_text(MODULE)
    before = key_after("import own_rates", TAKEN + takes)

    after = key_after(f"import own_rates\n{gives}", TAKEN + takes)

    assert after != before
    assert key_after("import own_rates", TAKEN + takes) == after


def test_what_a_cell_does_not_take_from_a_module_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "own_rates.py").write_text(MODULE)
    before = key_after("import own_rates", f"{TAKEN}x = own_rates.rate")

    assert key_after("import own_rates\nown_rates.table['a'] = 5", f"{TAKEN}x = own_rates.rate") == before


def test_a_module_that_was_given_another_value_and_is_taken_as_a_whole_has_no_key(tmp_path: Path) -> None:
    (tmp_path / "own_rates.py").write_text(MODULE)
    key_after("import own_rates", f"{TAKEN}x = vars(own_rates)['rate']")

    with pytest.raises(Unhashable, match="'own_rates' was changed since it was loaded"):
        key_after("import own_rates\nown_rates.rate = 5", f"{TAKEN}x = vars(own_rates)['rate']")
