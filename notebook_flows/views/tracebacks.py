"""What people need of a traceback's text, Python's or IPython's: where it came up, and the error itself."""

from __future__ import annotations

import ast
import re
import sysconfig
from pathlib import Path
from typing import NamedTuple

from notebook_flows.views.text import printable, shortened

OUR_FOLDER = str(Path(__file__).parent.parent)
ERROR_LINES = 4
LONGEST_LINE = 500
_PYTHON = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+), in (?P<function>.*)')
_IPYTHON = re.compile(
    r"(?:File (?P<file>.+?):|Cell In\s*\[(?P<cell>\d+)\], line )(?P<line>\d+)(?:, in (?P<function>.*))?"
)
_OURS = re.compile(r"^notebook_flows\.[\w.]+\.\w+: (?=.)")
"""Our own errors are sentences: the class adds nothing for who reads them."""
_ARROW = re.compile(r"-+> \d+ ?(?P<code>.*)")
_LIBRARY = re.compile(r"<|.*(?:/(?:site|dist)-packages/|/lib(?:64)?/python3\.\d+/|\.(?:pyx|pxi|pxd)$)")
"""Files that nobody at hand has written, wherever the kernel's Python is: IPython shortens paths, Cython's are bare."""
_FOREIGN = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

_BEGIN = "Error during execution of task: "
_SHORT = re.compile(rf"{_BEGIN}(?P<kind>[A-Za-z_]\w*)\((?P<said>(?s:['\"].*['\"]))\)")


class Place(NamedTuple):
    """Where an error came up.

    Attributes:
        where: file and line, or cell and line, and the function; empty where it is not known.
        code: the line of source; empty where it is not known.
    """

    where: str
    code: str


def place_of(traceback: str) -> Place:
    r"""Where a traceback ends in the user's own code; else in a library's, never in ours.

    >>> place_of('  File "/home/u/etl.py", line 3, in clean\n    1 / 0\n    ~~^~~\nZeroDivisionError: x')
    Place(where='/home/u/etl.py, line 3, in clean', code='1 / 0')
    >>> place_of('Cell In[5], line 2\n      1 if n > 5:\n----> 2     1 / 0\n\nZeroDivisionError: x')
    Place(where='In [5], line 2', code='1 / 0')
    """
    lines = traceback.splitlines()
    own = last = Place("", "")
    for number, text in enumerate(lines):
        frame = _PYTHON.fullmatch(text) or _IPYTHON.fullmatch(text)
        if frame is None or (frame["file"] or "").startswith(OUR_FOLDER):
            continue
        last = Place(_where(frame), _code(lines[number + 1 :]))
        if not _is_foreign(frame["file"] or ""):
            own = last
    return own if own.where else last


def _where(frame: re.Match[str]) -> str:
    function = f", in {frame['function']}" if frame["function"] else ""
    if frame["file"] is None:
        return f"In [{frame['cell']}], line {frame['line']}{function}"
    return f"{frame['file']}, line {frame['line']}{function}"


def _code(following: list[str]) -> str:
    """The line of source that a frame shows: the next one, or, in IPython's, the one with the arrow."""
    for text in following:
        arrow = _ARROW.fullmatch(text)
        if arrow is not None:
            return arrow["code"].strip()
        if not text.startswith("   "):
            break
    return following[0].strip() if following and following[0].startswith("    ") else ""


def _is_foreign(file: str) -> bool:
    return file.startswith(_FOREIGN) or _LIBRARY.match(file) is not None


def error_lines(traceback: str) -> list[str]:
    r"""The last lines of a traceback: the error itself, which may have several; none of an empty text.

    >>> error_lines('Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: one\ntwo')
    ['ValueError: one', 'two']
    """
    lines = traceback.rstrip().splitlines()
    start, is_ipython = 0, False
    for number, text in enumerate(lines):
        if _PYTHON.fullmatch(text):
            start, is_ipython = number + 1, False
        elif _IPYTHON.fullmatch(text):
            start, is_ipython = number + 1, True
    rest = lines[start:]
    if is_ipython and "" in rest:
        rest = rest[rest.index("") + 1 :]
    while rest and (rest[0].startswith("    ") or not rest[0].strip()):
        rest.pop(0)  # the source, and what is marked in it
    rest = [_OURS.sub("", text) for text in rest]
    kept = rest if len(rest) <= ERROR_LINES else [*rest[: ERROR_LINES - 1], "..."]
    return [shortened(printable(text), LONGEST_LINE) for text in kept]


def told_error(message: str) -> str:
    """What a task run says that failed, as people read errors: without the words that all of them begin with.

    >>> told_error("Error during execution of task: ValueError('row 7 is too large')")
    'ValueError: row 7 is too large'
    >>> told_error("Timed out.")
    'Timed out.'
    """
    found = _SHORT.fullmatch(message)
    if found is None:
        return message
    try:
        said = ast.literal_eval(found["said"])
    except (SyntaxError, ValueError):  # cut, or more than one argument
        return message.removeprefix(_BEGIN)
    return f"{found['kind']}: {said}" if found["kind"] != "NotebookRunError" else str(said)
