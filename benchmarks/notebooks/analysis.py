"""What it costs to look at the cells of a notebook: seconds of CPU for `analyse` and `connect`, by kind and size.

``python benchmarks/notebooks/analysis.py [--only files,...]``
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from notebook_flows.analysis import Cell, analyse, connect

if TYPE_CHECKING:
    from collections.abc import Callable

Sources = list[tuple[str, bool]]
HELPER = """def f{1}(t, k={0}):
    out = []
    for r in t.itertuples():
        if r.x > k:
            out.append(r.x)
    return out"""
SIZES = (200, 2_000)


def typical(n: int) -> Sources:
    """Tables, helpers, plots and lists, half of the cells tasks."""
    kinds = (
        "d{0} = df[df.x > {0}].groupby('k').agg(n=('x', 'sum'))\nd{0}['y'] = d{0}.n * 2",
        HELPER,
        "r{2} = f{1}(d{0})",
        "print(len(r{2}), d{0}.describe())",
        "fig, ax = plt.subplots()\nax.plot(d{0}.n)\nax.set_title('t{0}')",
        "s{0} = [{{'rows': r{2}}}, d{0}]",
    )
    first = "import pandas as pd\nimport matplotlib.pyplot as plt\ndf = pd.read_csv('a.csv')"
    cells = [(kinds[i % 6].format(i - i % 6, i - i % 6 + 1, i - i % 6 + 2), i % 6 in {0, 2, 3}) for i in range(n - 1)]
    return [(first, False), *cells]


def chain(n: int) -> Sources:
    """Tasks that change one list."""
    return [("x = [0]", True), *((f"x.append({i})", True) for i in range(n - 1))]


def files(n: int) -> Sources:
    """Tasks that read and write files of their own, in one directory."""
    line = "import os\nos.makedirs('out', exist_ok=True)\npd.read_csv('in/{0}.csv').to_csv('out/{0}.csv')"
    return [("import pandas as pd", False), *((line.format(i), True) for i in range(n - 1))]


def unknown_files(n: int) -> Sources:
    """Tasks that read files of which the text does not tell which."""
    return [
        ("import pandas as pd", False),
        *((f"pd.read_csv(p).to_csv('{i}.csv')", True) for i in range(n - 1)),
    ]


def pipeline(n: int) -> Sources:
    """Each task makes a table out of the one above, which it may be a part of."""
    first = "import pandas as pd\nt0 = pd.read_csv('a.csv')"
    return [(first, False), *((f"t{i + 1} = t{i}.transform(lambda x: x)", True) for i in range(n - 1))]


def long_cell(n: int) -> Sources:
    """One cell of 50 lines for each of n: 100,000 at most."""
    return [("rows = []\n" + "\n".join(f"rows.append({i})" for i in range(50 * n)), True)]


KINDS: dict[str, Callable[[int], Sources]] = {
    make.__name__.replace("_", "-"): make for make in (typical, chain, files, unknown_files, pipeline, long_cell)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(KINDS), help=f"some of {', '.join(KINDS)}")
    print(f"{'kind':14} {'cells':>6} {'analyse':>9} {'connect':>9} {'edges':>7}   seconds of CPU")
    for kind in parser.parse_args().only.split(","):
        for n in SIZES:
            sources = KINDS[kind](n)
            start = time.process_time()
            cells = [
                Cell(key=str(place), facts=analyse(source), is_task=is_task, name=str(place))
                for place, (source, is_task) in enumerate(sources)
            ]
            looked = time.process_time()
            found = connect(cells)
            done = time.process_time()
            print(f"{kind:14} {n:>6,} {looked - start:>9.2f} {done - looked:>9.2f} {len(found.order):>7,}")


if __name__ == "__main__":
    main()
