"""What a cell does while it runs that its text does not tell: the files that it reads, the texts that it evaluates.

Python tells of both by audit events, in whatever library a file is opened, as long as Python opens it. Libraries that open
files by themselves, commands and other processes tell nothing.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.evaluated import names_in
from notebook_flows.fingerprints.cells import file_print, listing_print
from notebook_flows.fingerprints.libraries import is_library_file
from notebook_flows.fingerprints.names import names_of
from notebook_flows.fingerprints.whose import is_aside, is_imported_by_name, module_of, opens_for_itself

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

MOST_FILES = 500
"""Who reads more than that has to name their directory."""
_COMMANDS = frozenset(
    {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "pty.spawn"}
)
_LISTS = frozenset({"os.listdir", "os.scandir"})
_CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove"})
_HEARD = frozenset({"open", "exec", "compile", "sqlite3.connect", *_COMMANDS, *_LISTS, *_CHANGES})
_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_BY_NUMBER = "it reads a directory that is open already (`dir_fd`, os.fwalk), and Python does not tell which that is"
_ROOT = Path(os.sep)
_LOCAL = re.compile(r"\b__pd_eval_local_(\w+)")
"""How pandas writes a name after an @."""
Stamp = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds, size in bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one attempt of a cell did, as far as it could be seen.

    Attributes:
        files: absolute path -> how the file was when it was opened for reading; None: it was not there. Behind a
            directory whose names were read stands a ``/``, and a text is a fingerprint that has been taken already.
        names: that evaluated texts read.
        command: the first one that was run; empty: none was.
        problem: why not all was seen; empty: nothing is known to be missing.
    """

    files: dict[str, Stamp | str | None] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    command: str = ""
    problem: str = ""


class Watch:
    """Hears the audit events of one attempt, in whatever thread of it they are."""

    def __init__(self) -> None:
        self._files: dict[str, Stamp | str | None] = {}
        self._made: set[str] = set()
        self._codes: list[CodeType] = []
        self._texts: list[str] = []
        self._command = ""
        self._problem = ""
        self._is_over = False
        self._changed = threading.RLock()

    def hear(self, event: str, args: tuple[Any, ...], frame: FrameType) -> None:
        """An event, and the frame of Python in which it is."""
        if self._is_over:
            return
        try:
            with self._changed:
                self._hear(event, args, frame)
        except Exception as error:  # an error would end what the user does; it is told when the result is kept
            self._problem = f"{type(error).__name__}: {error}"

    def _hear(self, event: str, args: tuple[Any, ...], frame: FrameType) -> None:
        if event == "exec":
            self._evaluated(args[0], frame)
        elif event == "compile":
            self._compiled(args[0], frame)
        elif opens_for_itself(frame):
            return
        elif event in _COMMANDS:
            self._command = self._command or (_told(args[0]) if args else event)
        elif event == "open":
            if args[1] is None and _is_from_open_folder(args[0], frame):
                if not _removes_all(frame):
                    self._problem = _BY_NUMBER
            else:
                self._opened(args[0], args[2])
        elif event == "sqlite3.connect":
            self._connected(args[0])
        elif event in _LISTS and isinstance(args[0], int):
            if not _removes_all(frame):
                self._problem = _BY_NUMBER
        elif (name := _path_of("." if args[0] is None else args[0])) is not None and not is_aside(name):
            if event in _LISTS:
                self._listed(name)
            elif event != "os.mkdir" or stamp_of(name) is None:  # who makes it where it is there makes nothing
                if event == "os.rename" and (target := _path_of(args[1])) is not None:
                    self._read(name)  # what was there goes on under another name, by which nobody knows it
                    self._wrote(target)
                self._wrote(name)

    def _evaluated(self, code: CodeType, frame: FrameType) -> None:
        module = module_of(frame)
        is_file = not code.co_filename.startswith("<") and not is_library_file(code.co_filename)
        if module == "__main__" or (is_file and not opens_for_itself(frame)):
            self._codes.append(code)
        if is_file and is_imported_by_name(frame) and (name := _path_of(code.co_filename)) is not None:
            self._read(name)

    def _compiled(self, source: Any, frame: FrameType) -> None:
        """Only pandas reads names of a text that it does not execute."""
        back = frame.f_back
        is_pandas = back is not None and module_of(back).startswith("pandas.core.computation")
        if is_pandas and module_of(frame) == "ast" and isinstance(source, (str, bytes)):
            self._texts.append(source if isinstance(source, str) else source.decode())

    def _opened(self, path: Any, flags: int) -> None:
        name = _path_of(path)
        if name is None or is_aside(name) or os.path.isdir(name):  # noqa: PTH112 - many files; who opens one opens it by another name
            return
        access = flags & _ACCESS
        is_new = bool(flags & (os.O_TRUNC | os.O_EXCL))
        if access == os.O_RDONLY or (access == os.O_RDWR and not is_new):
            self._read(name)
        if access != os.O_RDONLY and not (flags & os.O_EXCL and stamp_of(name) is not None):
            self._wrote(name, is_made=is_new or stamp_of(name) is None)

    def _connected(self, database: Any) -> None:
        name = _path_of(database)
        if name is None or name.endswith(f"{os.sep}:memory:") or is_aside(name):
            return
        for one in (name, f"{name}-wal"):
            self._read(one)
            if stamp_of(one) is None:
                self._wrote(one)

    def _read(self, name: str) -> None:
        if name in self._files or self._is_made(name) or not self._has_room():
            return
        if (stamp := stamp_of(name)) is not None or not Path(name).exists():  # no pipe, no device
            self._files[name] = stamp

    def _listed(self, name: str) -> None:
        key = f"{name.rstrip('/')}/"
        if key not in self._files and not self._is_made(name) and self._has_room():
            self._files[key] = listing_print(name)

    def _wrote(self, name: str, *, is_made: bool = True) -> None:
        """What was read before counts as it was then: its content is still there, for this is told before it changes."""
        before = self._files.get(name, "")
        if not isinstance(before, str) and before == stamp_of(name):
            self._files[name] = file_print(name, _ROOT)
        if is_made:
            self._made.add(name)

    def _is_made(self, name: str) -> bool:
        """Whether the cell has made it, or the directory that it is in."""
        while name not in self._made:
            above = os.path.dirname(name)  # noqa: PTH120 - thousands of files are opened: texts are faster
            if above == name:
                return False
            name = above
        return True

    def _has_room(self) -> bool:
        if len(self._files) < MOST_FILES:
            return True
        self._problem = f"it reads more than {MOST_FILES:,} files"
        return False

    def end(self) -> None:
        """The attempt is over: what it has left running is not heard any more."""
        self._is_over = True

    def seen(self) -> Seen:
        """What was heard."""
        with self._changed:
            names = {path[0] for code in self._codes for path in names_of(code).globals}
            for text in self._texts:
                names |= names_in(_LOCAL.sub(r"\1", text)) or frozenset()
            return Seen(files=dict(self._files), names=frozenset(names), command=self._command, problem=self._problem)


_current: ContextVar[Watch | None] = ContextVar("notebook_flows_watch", default=None)
_installing = threading.Lock()
_is_installed = False


@contextmanager
def watching() -> Iterator[Watch]:
    """Inside, and in threads that take their context from there, all is heard."""
    _install()
    watch = Watch()
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)
        watch.end()


def current_watch() -> Watch | None:
    """Who hears what happens here."""
    return _current.get()


def follow_watch(watch: Watch | None) -> None:
    """From now on, this thread is heard by it, too."""
    _current.set(watch)


def _install() -> None:
    """Once in a process: Python does not let go of such a hook."""
    global _is_installed
    with _installing:
        if not _is_installed:
            _is_installed = True
            if hasattr(os, "register_at_fork"):  # another thread of the parent may hold a watch just then, for good
                os.register_at_fork(after_in_child=lambda: follow_watch(None))
            sys.addaudithook(_hook(_HEARD, _current.get, sys._getframe))


def _hook(
    heard: frozenset[str], current: Callable[[], Watch | None], frame: Callable[[int], FrameType]
) -> Callable[[str, tuple[Any, ...]], None]:
    """It holds all that it needs: it is called while Python ends, too, when modules are empty."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in heard and (watch := current()) is not None:
            watch.hear(event, args, frame(1))

    return hook


def stamp_of(path: str) -> Stamp | None:
    """How a file is now; None: it is not there, or no file of content."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    if not S_ISREG(facts.st_mode) and not S_ISDIR(facts.st_mode):
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _is_from_open_folder(path: Any, frame: FrameType) -> bool:
    """Whether `os.open` may look for a path in a directory that is open: it does not say, so who calls it has to."""
    if isinstance(path, int) or os.path.isabs(path):  # noqa: PTH117 - as above
        return False
    return any(isinstance(one, tuple) and "dir_fd" in one for one in frame.f_code.co_consts)


def _removes_all(frame: FrameType) -> bool:
    """Whether it is `shutil.rmtree`, which looks for what there is to remove, as at the end of a temporary directory."""
    return module_of(frame) == "shutil" and frame.f_code.co_name.startswith("_rmtree")


def _path_of(path: Any) -> str | None:
    """The absolute path of what is opened; None: it has none, as what is open already."""
    if isinstance(path, int):
        return None
    name = os.fsdecode(path)
    if name.startswith("file:"):  # an address of SQLite
        name = name.removeprefix("file:").partition("?")[0]
    return os.path.abspath(name) if name else None  # noqa: PTH100 - as above; and links are left as they are


def _told(command: Any) -> str:
    return os.fsdecode(command) if isinstance(command, (str, bytes, os.PathLike)) else str(command)
