"""Which cells are tasks, and what their first line says: `%%task [name] [options]`, its comment, or a tag."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

EXECUTORS = ("threads", "processes", "main")
"""Where a task cell may run: see ``--executor``."""
LONGEST_NAME = 48
MOST_DIGITS = 6
"""Of a count: nobody lives to see so many retries, and histories hold no larger numbers than 64 bits."""
NO_NAMES: frozenset[str] = frozenset()

_TASK_LINE = re.compile(r"[ \t]*(?P<comment>#[ \t]*)?%%task(?P<rest>[ \t].*)?$")
_TASK_TAG = re.compile(r"task(?::\s*(?P<name>.*\S))?\s*")
_CELL_MAGIC = re.compile(r"%%(?P<name>\w\S*)")
# Those whose body is Python. Below others, as `%%writefile`, a line `%%task` is a line of their text.
_AROUND_PYTHON = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "snakeviz", "scalene"})
_SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600}
_OPTION = re.compile(r"--?[A-Za-z]")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[smh]?)")


class TaskCellError(FlowError, ValueError):
    """A line `%%task` that cannot be understood.

    Attributes:
        line: as it is written.
        reason: what is wrong with it, and what to write.
    """

    def __init__(self, line: str, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.line.strip()}: {self.reason}"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: nothing of the cell has run, so there is no place to point to."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellOptions:
    """What the task line asks for; the defaults are those of a line without options.

    Attributes:
        retries: how often a failed cell is tried again.
        retry_delay_s: how long it rests before.
        timeout_s: how long one attempt may take.
        cache: whether its values may come from an earlier run; None: as the settings and the cell's effects say.
        needs: names of tasks that it waits for, whatever it reads.
        reads: the names that it reads, in place of those that are found; None: those that are found.
        files: files that it reads: when one has changed, so has the cell.
        writes: the names that it binds or changes, in place of those that are found.
        pure: it changes no object of other cells.
        executor: one of `EXECUTORS`; None: wherever it can.
        tags: labels of the task.
    """

    retries: int = 0
    retry_delay_s: float = 0.0
    timeout_s: float | None = None
    cache: bool | None = None
    needs: frozenset[str] = NO_NAMES
    reads: frozenset[str] | None = None
    files: frozenset[str] = NO_NAMES
    writes: frozenset[str] | None = None
    pure: bool = False
    executor: str | None = None
    tags: frozenset[str] = NO_NAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskCell:
    """A cell that is a task.

    Attributes:
        name: the name that its author gave; None if none was given, see `name_of`.
        options: what the task line asks for.
        body: the cell's source with the task line as a comment; no other line moves, but that a cell magic right
            below it, as ``%%time``, changes places with it. This is what runs, and what is to be analysed.
    """

    name: str | None
    options: CellOptions
    body: str


BARE = "%%task"
"""A cell of nothing else asks what can be written there, too."""


def task_cell(source: str, tags: Collection[str] = ()) -> TaskCell | None:
    r"""What makes this cell a task, or None for an ordinary one.

    It is a task by its first line, blank ones and comments aside: ``%%task [name] [options]`` or, for people whose
    linters dislike magics, ``# %%task [name] [options]``; the line may also be the second, below a cell magic such as
    ``%%time``. Or by a tag, ``task`` or ``task:name``. Where there are both, the line decides, and the tag names a task
    that the line does not name. A comment that says more than one word of ``%%task`` is prose: see `is_prose`.

    >>> task_cell("%%task load --retries 2\nx = 1").options.retries
    2
    >>> task_cell("%%task\n%%time\nx = 1").body
    '%%time\n# %%task\nx = 1'
    >>> task_cell("x = 1", tags=["task:load"]).name
    'load'

    Raises:
        TaskCellError: there is such a line, and it cannot be understood.
    """
    tagged = next((found for tag in tags if (found := _TASK_TAG.fullmatch(tag))), None)
    place = _task_line(source)
    if place is None:
        return TaskCell(name=tagged["name"], options=CellOptions(), body=source) if tagged else None
    found = _task_line_of(source.split("\n")[place].rstrip("\r"))
    assert found is not None
    if source.strip() == BARE or asks_for_help(found["rest"] or ""):
        return None
    name, options = _understood(found["rest"] or "")
    return TaskCell(name=name or (tagged["name"] if tagged else None), options=options, body=without_task_line(source))


def without_comment(line: str) -> str:
    """A line of words up to a comment: a `#` that begins a word, outside of quotes.

    >>> without_comment("load '#1' a#b # don't"), without_comment("# all")
    ("load '#1' a#b ", '')
    """
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and line[at - 1 : at] in {"", " ", "\t"}:
            return line[:at]
    return line


def is_prose(line: str) -> bool:
    """Whether a line is a comment that only speaks of `%%task`: it goes on with several words, as no name does.

    >>> is_prose("# %%task is great"), is_prose("# %%task great"), is_prose('# %%task "is great"')
    (True, False, False)
    """
    found = _TASK_LINE.match(line.rstrip("\r"))
    if found is None or found["comment"] is None:
        return False
    words = (found["rest"] or "").partition(" #")[0].split()
    return len(words) > 1 and words[0][0] not in "\"'" and not any(_OPTION.match(word) for word in words[:2])


def prose_in(source: str) -> str | None:
    """The comment that a cell begins with and that could be meant as a task line, though it is none; None: there is none."""
    for line in source.split("\n") if "%%task" in source else []:
        if is_prose(line):
            return line.strip()
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return None


def asks_for_help(rest: str) -> bool:
    """Whether the line behind `%%task` asks what can be written there: such a cell is no task, and says it."""
    return rest.partition(" #")[0].split() in (["--help"], ["-h"])


def without_task_line(source: str) -> str:
    r"""The cell as it runs: see `TaskCell.body`. A cell without a task line stays as it is; done twice, it is done once.

    >>> without_task_line("%%task load\nx = 1")
    '# %%task load\nx = 1'
    """
    place = _task_line(source)
    if place is None:
        return source
    lines = source.split("\n")
    if not lines[place].lstrip().startswith("#"):
        lines[place] = "# " + lines[place].lstrip()
    below = place + 1
    magic = _CELL_MAGIC.match(lines[below]) if below < len(lines) else None
    if magic and magic["name"] != "task" and not any(line.strip() for line in lines[:place]):
        lines[place], lines[below] = lines[below], lines[place]
    return "\n".join(lines)


def name_of(cell: TaskCell, number: int) -> str:
    r"""What people call the task.

    The name that its author gave; else the comment that the cell begins with; else the first name that it binds and
    does not import; else ``cell N``.

    Args:
        cell: the task.
        number: the cell's place among the code cells of the notebook, from 1.

    >>> name_of(task_cell("%%task\n# Load the sales\ndf = read()"), 3)
    'Load the sales'
    >>> name_of(task_cell("%%task\nimport pandas as pd\ndf = pd.DataFrame()"), 3)
    'df'
    >>> name_of(task_cell("%%task\nprint(1)"), 3)
    'cell 3'
    """
    if cell.name:
        return cell.name
    lines = [line.strip() for line in cell.body.split("\n")]
    lines = [line for line in lines if line and not _task_line_of(line) and not _CELL_MAGIC.match(line)]
    comment = lines[0].lstrip("#% ") if lines and lines[0].startswith("#") else ""
    text = comment or _first_bound(cell.body) or f"cell {number}"
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3].rstrip() + "..."


def _first_bound(body: str) -> str | None:
    from notebook_flows.analysis.cell import analyse

    facts = analyse(body)
    bound = [name for name in facts.binds if name not in facts.imports and not name.startswith("_")]
    return min(bound, key=lambda name: (facts.lines.get(name, len(body)), name), default=None)


def _task_line(source: str) -> int | None:
    """The number of the task line, from 0."""
    if "%%task" not in source:
        return None
    lines = [line.rstrip("\r") for line in source.split("\n")]
    first = next(number for number, line in enumerate(lines) if line.strip())
    for number, line in enumerate(lines):
        if _task_line_of(line):
            return number
        if line.strip() and not line.lstrip().startswith("#"):
            break
    above = _CELL_MAGIC.match(lines[first])
    second = first + 1
    is_second = second < len(lines) and _task_line_of(lines[second])
    return second if above and is_second and above["name"] in _AROUND_PYTHON else None


def _task_line_of(line: str) -> re.Match[str] | None:
    return None if is_prose(line) else _TASK_LINE.match(line)


# -- the line's words --------------------------------------------------------------------------------------------------


class _Option(NamedTuple):
    field: str
    read: Callable[[str], Any] | None = None
    value: Any = None
    expects: str = ""


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return float(found["number"]) * _SECONDS_IN[found["unit"]]


def _some_seconds(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise ValueError
    return seconds


def _words(text: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in text.split(",") if word.strip())
    if text.strip() and not words:  # nothing but commas; an empty text says: none
        raise ValueError
    return words


def _names(text: str) -> frozenset[str]:
    names = _words(text)
    if not all(name.isidentifier() for name in names):
        raise ValueError
    return names


def _names_or_files(text: str) -> frozenset[str]:
    words = _words(text)
    if not all(word.isidentifier() or "." in word or "/" in word for word in words):
        raise ValueError
    return words


def _executor(text: str) -> str:
    if text not in EXECUTORS:
        raise ValueError
    return text


_OTHER_WORDS = dict.fromkeys(("--after", "--depends-on", "--upstream", "--wait-for"), "--needs")
_SECONDS = "seconds, such as 30 or 1.5 or 5m"
_OPTIONS = {
    "--name": _Option("name", str, expects="a name"),
    "--retries": _Option("retries", _count, expects="a whole number, such as 3"),
    "--retry-delay": _Option("retry_delay_s", _seconds, expects=_SECONDS),
    "--timeout": _Option("timeout_s", _some_seconds, expects=f"more than 0 {_SECONDS}"),
    "--cache": _Option("cache", value=True),
    "--no-cache": _Option("cache", value=False),
    "--needs": _Option("needs", _words, expects="names of tasks with commas between them"),
    "--reads": _Option("reads", _names_or_files, expects="names of variables, or of files, with commas between them"),
    "--writes": _Option("writes", _names, expects="names of variables with commas between them"),
    "--pure": _Option("pure", value=True),
    "--executor": _Option("executor", _executor, expects=f"one of {', '.join(EXECUTORS)}"),
    "--tags": _Option("tags", _words, expects="labels with commas between them"),
}


_SHORT = {"-x": "--executor"}  # as `%flow run` takes it


OPTION_NAMES = tuple(_OPTIONS)
"""As they are written."""


def _understood(rest: str) -> tuple[str | None, CellOptions]:
    """The name and the options that stand behind `%%task`."""
    line = f"%%task{rest}"
    names: list[str] = []
    given: dict[str, Any] = {}
    waiting = _cut(line, rest)[::-1]
    while waiting:
        word = waiting.pop()
        if not word.startswith("--"):
            if word.startswith("-") and len(word) > 1:
                raise TaskCellError(line, f"there is no option {word}.{_likely(word)}")
            names.append(word)
            continue
        key, sign, text = word.partition("=")
        option = _OPTIONS.get(key)
        if option is None:
            raise TaskCellError(line, f"there is no option {key}.{_likely(key)}")
        if option.read is None:
            if sign:
                raise TaskCellError(line, f"{key} takes no value.")
            value = option.value
        else:
            value = _value(line, key, option, text if sign else _next(line, key, option, waiting))
        if option.field in given and given[option.field] != value:
            raise TaskCellError(line, f"{key} is said twice, and not the same.")
        given[option.field] = value
    read = given.pop("reads", None)
    if read is not None:
        given["files"] = frozenset(word for word in read if not word.isidentifier())
        if len(given["files"]) < len(read) or not read:
            given["reads"] = read - given["files"]
    name = given.pop("name", None)
    names = names if name is None else [*names, name]
    if len(names) > 1:
        raise TaskCellError(
            line, f'a task has one name, and here are {len(names)}. Write a name with blanks as "{" ".join(names)}".'
        )
    return (names[0] if names else None) or None, replace(CellOptions(), **given)


def _cut(line: str, rest: str) -> list[str]:
    """The words, up to a comment; a list may go on behind the blank that follows a comma."""
    try:
        words = [_SHORT.get(word, word) for word in shlex.split(without_comment(rest))]
    except ValueError as error:
        raise TaskCellError(line, f"it cannot be cut into words: {str(error).lower()}.") from None
    found: list[str] = []
    for word in words:
        goes_on = bool(found) and found[-1] not in _OPTIONS and not word.startswith("-")
        if goes_on and (found[-1].endswith(",") or word.startswith(",")):
            found[-1] += word
        else:
            found.append(word)
    return found


def _next(line: str, key: str, option: _Option, waiting: list[str]) -> str:
    if not waiting or waiting[-1] in _OPTIONS:
        raise TaskCellError(line, f"{key} lacks its value: {option.expects}.")
    return waiting.pop()


def _value(line: str, key: str, option: _Option, text: str) -> Any:
    assert option.read is not None
    try:
        return option.read(text)
    except ValueError:
        slip = did_you_mean(text, EXECUTORS) if option.read is _executor else ""
        raise TaskCellError(line, f"{key} has to be {option.expects}, not {text!r}.{slip}") from None


def _likely(word: str) -> str:
    """The likely slip; without one, all that can be said."""
    full = f"--{word.lstrip('-')}"
    if full in _OTHER_WORDS:
        return f" Did you mean {_OTHER_WORDS[full]}?"
    return did_you_mean(full, _OPTIONS) or f" The options are {', '.join(_OPTIONS)}."
