"""What IPython's magics read, bind and do, as far as their text tells; a magic that is not known here is opaque."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.files import UNKNOWN_USES, FileUse, shell_uses, use_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Magic(NamedTuple):
    """One use of a magic, `%name line` or `%%name line` with a body below.

    Attributes:
        kind: "line", "cell", "system" for ``!`` and "getoutput" for ``!!``.
    """

    kind: str
    name: str
    line: str
    body: str

    @property
    def shown(self) -> str:
        """As its author writes it."""
        return {"system": "!", "getoutput": "!!", "cell": f"%%{self.name}"}.get(self.kind, f"%{self.name}")


class Effect(NamedTuple):
    """What one use of a magic does.

    Attributes:
        code: Python that it runs, if any, and whether names that are bound there stay bound.
        code_line: the line of the cell, counted from the magic's own, on which the code begins.
        expressions: Python expressions that it evaluates.
        binds: names that it binds.
        unseen: why the cell cannot be seen through.
        hidden: hidden state that it changes.
        effects: what it does outside of the kernel.
        files: the files that it uses.
        needs_main: only the kernel's main thread can do it.
    """

    code: str | None = None
    keeps_names: bool = True
    code_line: int = 0
    expressions: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    unseen: str | None = None
    hidden: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    files: tuple[FileUse, ...] = ()
    needs_main: bool = True


_HANDLERS: dict[str, Callable[[Magic], Effect]] = {}
_LISTENERS: list[Callable[[], None]] = []
_EXIT_CODE = "_exit_code"


def register(name: str, handler: Callable[[Magic], Effect]) -> None:
    """Tells the analysis what the magic of this name, without its ``%``, does.

    A handler replaces what was known of the name; it is a pure function, and must not raise.
    """
    _HANDLERS[name] = handler
    for listener in _LISTENERS:
        listener()


def unregister(name: str) -> None:
    """The magic of this name is unknown from here on."""
    _HANDLERS.pop(name, None)
    for listener in _LISTENERS:
        listener()


def known_names() -> frozenset[str]:
    """The names of all magics of which it is known what they do."""
    return frozenset(_HANDLERS)


def effect_of(magic: Magic) -> Effect:
    """What this use of a magic does."""
    if magic.kind in {"system", "getoutput"}:
        return _shell(magic)
    handler = _HANDLERS.get(magic.name)
    return handler(magic) if handler is not None else Effect(unseen=f"unknown magic {magic.shown}")


def interpolated(line: str) -> tuple[str, ...]:
    """The Python expressions that IPython fills into a line, ``{expression}`` and ``$name``.

    >>> interpolated("echo {a[0]} $name $$HOME {{b}}")
    ('a[0]', 'name')
    """
    line = line.replace("{{", "").replace("}}", "").replace("$$", "")
    found = [text for text in re.findall(r"\{([^{}]+)\}", line) if _is_expression(text)]
    found += re.findall(r"\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", line)
    return tuple(found)


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _shell(magic: Magic) -> Effect:
    return Effect(
        expressions=interpolated(magic.line),
        binds=(_EXIT_CODE,),
        effects=("!",),
        files=shell_uses(magic.line),
        needs_main=False,
    )


def _shell_magic(magic: Magic) -> Effect:
    text = f"{magic.line}\n{magic.body}"
    return Effect(expressions=interpolated(text), binds=(_EXIT_CODE,), effects=("!",), files=shell_uses(text.strip()))


def _script(magic: Magic) -> Effect:
    """A cell in another language: its text goes to a process, its output perhaps into names."""
    binds = re.findall(r"--(?:out|err|proc)[ =]([A-Za-z_]\w*)", magic.line)
    files = shell_uses(magic.body) if magic.name in {"bash", "sh"} else UNKNOWN_USES
    return Effect(expressions=interpolated(magic.line), binds=tuple(binds), effects=(magic.shown,), files=files)


def _timed(magic: Magic) -> Effect:
    """`%time` and `%%time`: the code runs here, and its names stay."""
    if magic.kind == "line":
        return Effect(code=magic.line, needs_main=False)
    line = _without_options(magic.line)
    return Effect(code=f"{line}\n{magic.body}", needs_main=False)


def _measured(magic: Magic) -> Effect:
    """`%timeit`: the code runs many times in a function, and its names are gone; the line of `%%timeit` is set-up."""
    line = _without_options(magic.line)
    code = line if magic.kind == "line" else f"{line}\n{magic.body}"
    return Effect(code=code, keeps_names=False, needs_main=False)


def _profiled(magic: Magic) -> Effect:
    line = _without_options(magic.line)
    return Effect(code=line if magic.kind == "line" else f"{line}\n{magic.body}")


def _captured(magic: Magic) -> Effect:
    words = [word for word in magic.line.split() if not word.startswith("-")]
    binds = tuple(word for word in words[:1] if word.isidentifier())
    return Effect(code=magic.body, code_line=1, binds=binds, needs_main=False)


def _inert(magic: Magic) -> Effect:
    return Effect(expressions=interpolated(magic.line))


def _text_only(magic: Magic) -> Effect:
    return Effect()


def _file_written(magic: Magic) -> Effect:
    files: tuple[FileUse, ...] = UNKNOWN_USES
    if magic.name in {"writefile", "file"}:
        words = [word for word in magic.line.split() if word not in {"-a", "--append"}]
        path = words[0].strip("\"'") if len(words) == 1 and not set("{}$~") & set(words[0]) else None
        kinds = ("write",) if len(words) == len(magic.line.split()) else ("read", "write")
        files = tuple(use_of(kind, path) for kind in kinds)
    return Effect(expressions=interpolated(magic.line), effects=(magic.shown,), files=files)


def _file_listed(magic: Magic) -> Effect:
    return Effect(expressions=interpolated(magic.line), files=(FileUse("read", None),))


def _directory(magic: Magic) -> Effect:
    return Effect(expressions=interpolated(magic.line), hidden=("cwd",))


def _environment(magic: Magic) -> Effect:
    writes = magic.name == "set_env" or "=" in magic.line or len(magic.line.split()) > 1
    return Effect(expressions=interpolated(magic.line), hidden=("environ",) if writes else ())


def _settings(magic: Magic) -> Effect:
    return Effect(expressions=interpolated(magic.line), hidden=("settings",) if magic.line.strip() else ())


def _own(magic: Magic) -> Effect:
    """`%flow`: what runs tasks waits for those above by rules of the runners', and binds no name that they do not."""
    return Effect()


def _without_options(line: str) -> str:
    """The line behind its options: ``-n 3 -o f(x)`` is ``f(x)``."""
    pattern = re.compile(r"\s*-(?:[nrtpslTD]\s*[\w.]+|[a-zA-Z]+|-[\w-]+)(?=\s|$)")
    while match := pattern.match(line):
        line = line[match.end() :]
    return line.strip()


_INERT_NAMES = (
    "matplotlib load_ext reload_ext unload_ext autoreload pip conda mamba uv pinfo pinfo2 psource pdoc pfile psearch"
    " pwd man who who_ls whos lsmagic magic quickref tb pdb alias unalias"
    " notebook history hist logstart logstop logoff logon logstate dhist bookmark automagic autocall page"
    " watermark config_inline nbagg connect_info qtconsole colabkernelspecs subshell tqdm"
)
for _names, _handler in (
    ("time", _timed),
    ("timeit", _measured),
    ("prun memit mprun lprun", _profiled),
    ("capture", _captured),
    ("sx system", _shell_magic),
    ("bash sh script perl ruby python2 python3 pypy javascript_node", _script),
    ("cd pushd popd", _directory),
    ("env set_env", _environment),
    ("precision config colors xmode pprint gui", _settings),
    (
        _INERT_NAMES,
        _inert,
    ),
    ("html HTML svg SVG latex markdown js javascript task", _text_only),
    ("writefile file mkdir rm mv cp rmdir save", _file_written),
    ("ls ll lx lk lf ldir cat less more pycat", _file_listed),
    ("flow nbflow", _own),
):
    for _name in _names.split():
        _HANDLERS[_name] = _handler
