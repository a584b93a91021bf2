"""Flows and DOT to be drawn."""

from notebook_flows import Flow, Parameter, Task, task, unmapped

# Graphviz is busy with it for minutes, in little memory
HEAVY = (
    "digraph {" + "".join(f"{n // 3 + n % 7}->{n};{n // 2}->{n};{n - 1 - n % 11}->{n};" for n in range(20, 4000)) + "}"
)

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<b>bold</b>",
    "\"quoted\" 'too'",
    "back\\slash\\",
    "\\N \\G \\l\\n",
    "two\nlines\r\n\tand a tab",
    "&lt;b&gt; &amp; &#65; &copy;",
    "]; evil [label=x",
    "<map>",
    "漢字 é ✓ 👩‍🔬 e\u0301",
    "right \u202eto left\u202c",
    "\x00\x1b[31m\x7f\ud800\uffff",
    "]]></svg><script>alert(1)</script>",
    "-->",
    "x" * 10_000,
    "   ",
    "digraph",
)


@task
def load(day):
    return [1, 2, 3]


@task
def clean(x, factor=1):
    return x * factor


@task
def report(values, day=None):
    return values


def mapped_flow(width=3):
    @task
    def numbers(n):
        return list(range(width))

    with Flow("nightly") as flow:
        n = Parameter("n", default=width)
        report(clean.map(numbers(n), factor=unmapped(n)))
    return flow


def flow_of(names, name="flow"):
    """A chain of tasks with these names."""
    with Flow(name) as flow:
        flow.chain(*(flow.add_task(Task(name=one)) for one in names))
    return flow
