"""Which files a cell reads and writes, as far as its text tells: paths that are written out, and what uses them."""

from __future__ import annotations

import ast
import posixpath
import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DATABASE = "sql:"
"""Stands for all tables of all databases: two names of connections may mean one."""


class FileUse(NamedTuple):
    """A file, or all that is in a directory, is read or written.

    Attributes:
        kind: "read", "write", or "make" for a directory that is made.
        path: normalised; None if it cannot be known from the text.
        is_whole: the path is the file's own; else only the directory is known, in which it is.
    """

    kind: str
    path: str | None
    is_whole: bool = True


UNKNOWN_USES = (FileUse("read", None), FileUse("write", None))


# -- texts that name a path ------------------------------------------------------------------------------------------------


class Named(NamedTuple):
    """The text that a name stands for."""

    name: str


class Joined(NamedTuple):
    """Parts one after the other; with a sign between them, as those of a path."""

    sign: str
    parts: tuple[PathText, ...]


PathText: TypeAlias = "str | Named | Joined"
_SAME_CALLS = {"Path", "PurePath", "PosixPath", "str", "fspath"}


def path_text(node: ast.expr) -> PathText | None:
    """What an expression says of a path, or None if it is not simple."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return Named(name)
        case ast.JoinedStr(values=values):
            return _joined("", values)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return path_text(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined("", [left, right])
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined("/", [left, right])
        case ast.Call(func=func, args=args, keywords=[]) if args:
            called = getattr(func, "attr", None) or getattr(func, "id", None)
            if called in _SAME_CALLS:
                return _joined("/", args)
            if called == "join" and isinstance(func, ast.Attribute) and ast.unparse(func.value) in {"os.path", "path"}:
                return _joined("/", args)
            if called == "joinpath" and isinstance(func, ast.Attribute):
                return _joined("/", [func.value, *args])
    return None


def _joined(sign: str, nodes: list[ast.expr]) -> PathText | None:
    parts = [path_text(node) for node in nodes]
    known = tuple(part for part in parts if part is not None)
    return Joined(sign, known) if len(known) == len(parts) else None


def resolved(text: PathText | None, value_of: Callable[[str], str | None]) -> str | None:
    """The path, if all names in it stand for texts."""
    if text is None or isinstance(text, str):
        return text
    if isinstance(text, Named):
        return value_of(text.name)
    parts = [resolved(part, value_of) for part in text.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return posixpath.join(*known) if text.sign else "".join(known)


def texts_of(tree: ast.Module) -> dict[str, PathText]:
    """Name -> text, for the names that the cell binds once, at its top, to a text that can be known."""
    bound: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound[node.id] += 1
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound[node.name] += 1
        elif isinstance(node, ast.alias):
            bound[(node.asname or node.name).partition(".")[0]] += 1
        elif (isinstance(node, ast.ExceptHandler) and node.name) or (
            isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name
        ):
            bound[node.name] += 1
        elif isinstance(node, ast.Attribute) and node.attr in {"run_line_magic", "run_cell_magic"}:
            return {}  # code in a magic may bind any of them again
    found: dict[str, PathText] = {}
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if bound[name] == 1:
                text = path_text(value)
                if text is not None and all(inner in found or not bound[inner] for inner in _names_in(text)):
                    found[name] = text
    return found


def _names_in(text: PathText) -> list[str]:
    if isinstance(text, Named):
        return [text.name]
    return [name for part in text.parts for name in _names_in(part)] if isinstance(text, Joined) else []


# -- paths that meet -------------------------------------------------------------------------------------------------------


def use_of(kind: str, path: str | None) -> FileUse:
    """A use of this path; of a pattern, the directory in which what it means must be.

    >>> use_of("read", "./out//a.csv"), use_of("read", "out/*.csv").path
    (FileUse(kind='read', path='out/a.csv', is_whole=True), 'out')
    """
    if path is None or not path:
        return FileUse(kind, None)
    path = path.removeprefix("file://").replace("\\", "/")
    scheme, sign, rest = path.partition("://")
    if sign and rest:
        return FileUse(kind, f"{scheme}://{posixpath.normpath(rest)}")
    parts = path.split("/")
    fixed = next((place for place, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
    is_whole = fixed is None
    directory = path if is_whole else "/".join(parts[:fixed]) or ("/" if path.startswith("/") else ".")
    return FileUse(kind, posixpath.normpath(directory), is_whole)


def _is_at(upper: str, lower: str) -> bool:
    return upper in {".", lower} or lower.startswith(f"{upper.rstrip('/')}/")


def surroundings(path: str) -> str:
    """What a path is told from: the root, home, the working directory or one so many levels above it, a server.

    >>> [surroundings(path) for path in ("/a", "~/a", "a", "../../a", "s3://a/b", DATABASE)]
    ['/', '~', '.', '../..', 's3:', 'sql:']
    """
    if "://" in path or path.startswith(DATABASE):
        return f"{path.partition(':')[0]}:"
    if path.startswith("~"):
        return path.partition("/")[0]
    if path.startswith("/") or path[1:2] == ":":
        return "/"
    ups = re.match(r"(?:\.\.(?:/|$))+", path)
    return ups[0].rstrip("/") if ups else "."


def is_local(place: str) -> bool:
    """Whether such surroundings are on this machine: of two such ways to say where, nobody knows what they share."""
    return not place.endswith(":")


def directories_above(path: str) -> list[str]:
    """All directories that a path is in, as far as it tells.

    >>> directories_above("a/b/c")
    ['a/b', 'a', '.']
    """
    found = []
    above = posixpath.dirname(path)
    while above not in {"", path}:
        found.append(above)
        path, above = above, posixpath.dirname(above)
    return [*found, "."] if path and surroundings(path) == "." else found


def may_be_one(first: FileUse, second: FileUse) -> bool:
    """Whether two uses may mean one file; of ``out`` and ``out/a.csv`` it is taken to be so.

    >>> may_be_one(use_of("read", "out"), use_of("write", "out/a.csv"))
    True
    >>> may_be_one(use_of("read", "a.csv"), use_of("write", "b.csv"))
    False
    """
    if first.path is None or second.path is None:
        is_database = DATABASE in {first.path, second.path}
        return not is_database or first.path == second.path
    one, other = first.path.casefold(), second.path.casefold()
    here, there = surroundings(one), surroundings(other)
    if here != there:
        return is_local(here) and is_local(there)
    return _is_at(one, other) or _is_at(other, one)


def keeps_order(first: FileUse, second: FileUse) -> bool:
    """Whether two uses must not change places: one of them changes what the other may see."""
    if {first.kind, second.kind} in ({"read"}, {"make"}):
        return False
    return may_be_one(first, second)


def is_same(first: FileUse, second: FileUse) -> bool:
    """Whether both surely mean the one file."""
    return first.path is not None and first.is_whole and second.is_whole and first.path == second.path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- commands --------------------------------------------------------------------------------------------------------------

_SILENT = _words(
    "echo printf pwd date which whoami hostname uname true false sleep nvidia-smi nproc free uptime ps env "
    "printenv id type command exit :"
)
_READING = _words("ls cat head tail wc less more file stat du tree md5sum sha256sum cksum nl df")
_LOOKING_AT = {"pip": {"list", "show", "freeze", "check", "--version"}, "conda": {"list", "info"}}
_HARMLESS = re.compile(r"\d?>\s*(?:/dev/null|&\d)")


def shell_uses(command: str) -> tuple[FileUse, ...]:
    """The files that a command uses; of one that is not known to only look or print, any.

    >>> shell_uses("echo done"), shell_uses("head -n 3 a.csv")
    ((), (FileUse(kind='read', path='3', is_whole=True), FileUse(kind='read', path='a.csv', is_whole=True)))
    """
    command = _HARMLESS.sub("", command)
    if re.search(r"[<>`]|\$\(", command):
        return UNKNOWN_USES
    found: list[FileUse] = []
    for part in re.split(r"\|\||&&|[|;&\n]", command):
        if (uses := _command_uses(part)) is None:
            return UNKNOWN_USES
        found += uses
    return tuple(dict.fromkeys(found))


def _command_uses(command: str) -> list[FileUse] | None:
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or words[0] in _SILENT:
        is_wrapper = len(words) > 1 and words[0] in {"env", "command"}
        return None if is_wrapper else []
    if words[0] in _LOOKING_AT:
        return [] if len(words) > 1 and words[1] in _LOOKING_AT[words[0]] else None
    if words[0] not in _READING:
        return None
    named = [word for word in words[1:] if not word.startswith("-")]
    if any(set(word) & set("${}~") for word in named):
        return [FileUse("read", None)]
    return [use_of("read", word) for word in named or ["."]]


# -- functions and methods -------------------------------------------------------------------------------------------------

_READ_FUNCTIONS = {
    "numpy": "load loadtxt genfromtxt fromfile memmap",
    "joblib": "load",
    "torch": "load",
    "cv2": "imread",
    "matplotlib.pyplot": "imread",
    "matplotlib.image": "imread",
    "PIL.Image": "open",
    "xarray": "open_dataset open_mfdataset open_dataarray open_zarr",
    "os": "listdir scandir walk stat",
    "os.path": "exists isfile isdir getsize getmtime lexists islink",
    "glob": "glob iglob",
    "linecache": "getline getlines",
    "fileinput": "input FileInput",
    "runpy": "run_path",
    "csv": "",
}
_WRITE_FUNCTIONS = {
    "numpy": "save savez savez_compressed savetxt",
    "torch": "save",
    "cv2": "imwrite",
    "matplotlib.pyplot": "savefig imsave",
    "matplotlib.image": "imsave",
    "os": "remove unlink rmdir removedirs truncate symlink link",
    "shutil": "rmtree",
    "urllib.request": "urlretrieve",
}
_MAKE_FUNCTIONS = {"os.makedirs", "os.mkdir"}
_UNKNOWN_FUNCTIONS = {"os.system", "os.popen", "os.rename", "os.replace", "os.renames", "os.startfile"}
_UNKNOWN_MODULES = {"subprocess", "shutil", "tarfile", "zipfile", "sqlite3", "h5py", "tables", "shelve", "dbm"}
_SHUTIL_LOOKS = {"shutil.which", "shutil.disk_usage", "shutil.get_terminal_size"}
_SECOND = {"joblib.dump", "torch.save", "urllib.request.urlretrieve"}
OPENERS = {"io.open", "gzip.open", "bz2.open", "lzma.open", "codecs.open"}
_TABLES = {
    "pandas",
    "polars",
    "geopandas",
    "pyarrow",
    "dask",
    "modin",
    "cudf",
    "duckdb",
    "skimage",
    "imageio",
    "soundfile",
}
_NO_FILES = {"read_clipboard", "read_gbq", "read_html"}
_PATH_KEYWORDS = (
    *("path", "filepath_or_buffer", "path_or_buf", "path_or_buffer", "filepath", "fname", "filename", "file", "source"),
    *("io", "excel_writer", "buf", "dst", "f", "fp", "name", "pathname"),
)
_READ_METHODS = _words("read_text read_bytes exists is_file is_dir iterdir rglob stat")
_WRITE_METHODS = _words("write_text write_bytes unlink rmdir touch")
_GIVEN_METHODS = _words(
    "savefig to_parquet to_excel to_pickle to_hdf to_feather to_stata to_orc to_file to_netcdf to_zarr "
    "write_image write_html write_csv write_parquet write_json write_ipc write_excel save save_model "
    "sink_csv sink_parquet save_pretrained dump_model imsave tofile"
)
_TEXT_METHODS = _words("to_csv to_json to_html to_latex to_markdown to_string to_xml")
_LOADING_METHODS = _words("load_model from_file from_pretrained from_csv load_from_checkpoint")

Paths: TypeAlias = "Mapping[str | int, PathText]"


def opened(mode: str | None) -> tuple[str, ...]:
    """How a file is used that is opened so; None: it is not known how."""
    if mode is None:
        return ("read", "write")
    if "+" in mode or "a" in mode:
        return ("read", "write")  # what was there before stays
    return ("write",) if set("wx") & set(mode) else ("read",)


def function_use(dotted: str) -> tuple[tuple[str, ...], str | int | None]:
    """How a library's function uses files, and which argument says which; None: none says it."""
    module, _, name = dotted.rpartition(".")
    top = dotted.partition(".")[0]
    if name in _READ_FUNCTIONS.get(module, "").split():
        return ("read",), 0
    if dotted in _SECOND:
        return ("write",), 1
    if name in _WRITE_FUNCTIONS.get(module, "").split():
        return ("write",), 0
    if dotted in _MAKE_FUNCTIONS:
        return ("make",), 0
    if dotted in _UNKNOWN_FUNCTIONS or (top in _UNKNOWN_MODULES and dotted not in _SHUTIL_LOOKS and name.islower()):
        return ("read", "write"), (0 if dotted == "sqlite3.connect" else None)
    if dotted in {"h5py.File", "zipfile.ZipFile", "tarfile.TarFile", "pandas.HDFStore", "pandas.ExcelWriter"}:
        return ("read", "write"), 0
    if top in _TABLES and name.startswith(("read_", "scan_", "imread")) and name not in _NO_FILES:
        return ("read",), (DATABASE if name.startswith("read_sql") or name == "read_database" else 0)
    if top in _TABLES and name.startswith(("write_", "imwrite", "imsave")):
        return ("write",), 1
    return (), None


def method_use(
    name: str, *, is_given: bool, is_plain: bool, count: int, is_named: bool = False
) -> tuple[tuple[str, ...], str | int | None]:
    """The same of a method; ``self`` is its object.

    Args:
        name: of the method.
        is_given: it gets arguments.
        is_plain: its object is a text, a path or the like.
        count: of its positional arguments.
        is_named: the first of them is a text: `parser.read("a.ini")`, where that of an open file is a number.
    """
    if name == "to_sql":
        return ("read", "write"), DATABASE
    if name in _READ_METHODS or (name == "glob" and is_given):
        return ("read",), "self"
    if name in _WRITE_METHODS:
        return ("write",), "self"
    if name == "mkdir":
        return ("make",), "self"
    if is_plain and ((name == "rename" and is_given) or (name == "replace" and count == 1)):
        return ("read", "write"), None
    if name in _GIVEN_METHODS or (name in _TEXT_METHODS and is_given):
        return ("write",), 0
    if name == "read" and is_named:
        return ("read",), 0
    return (("read",), 0) if name in _LOADING_METHODS else ((), None)


def uses_at(kinds: tuple[str, ...], where: str | int | None, path: Callable[[str | int], str | None]) -> list[FileUse]:
    """The uses, with the path that stands at the place."""
    if where == DATABASE:
        return [FileUse(kind, DATABASE, is_whole=False) for kind in kinds]
    found = path(where) if where is not None else None
    if found is None and isinstance(where, int):
        found = next((text for key in _PATH_KEYWORDS if (text := path(key)) is not None), None)
    return [use_of(kind, found) for kind in kinds]
