"""What is set, where it is set, and what holds: variables come before the project's file, that before the user's.

NOTEBOOK_FLOWS_KEEP_DAYS=30                     a variable
notebook_flows.toml          keep_days = 30     the project's own file, in the working directory or above it
pyproject.toml               [tool.notebook_flows]
keep_days = 30     or a table in this one, if there is no such file beside it
~/.config/notebook_flows/notebook_flows.toml    the user's
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PREFIX = "NOTEBOOK_FLOWS_"
FILE = "notebook_flows.toml"
HISTORY_CHOICES = ("on", "off", "memory")
CACHE_CHOICES = ("on", "all", "off", "refresh")
KEEP_CHOICES = ("auto", "on", "off")
PICTURE_CHOICES = ("on", "static", "off")
_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_SLASHES_LEFT_OUT = re.compile(
    r"^(postgres|postgresql|postgresql\+psycopg|s3|gs|file|https?|sqlite|mysql):(?!//)", re.IGNORECASE
)
"""What somebody begins who means a URL; no file is likely to have such a name."""
_SERVERS = ("postgresql", "postgres", "postgresql+psycopg")
_NOT_SETTINGS = frozenset({"CRASH_AT", "PARENT_RUN", "DRIVEN_KERNEL", "EXAMPLES", "COMPLETE"})
"""Variables of ours that set nothing."""


class SettingsError(FlowError, ValueError):
    """Settings that cannot be understood: a sentence for each."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(*sentences)
        self.sentences = sentences

    def __str__(self) -> str:
        return "\n".join(self.sentences)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What is in force.

    Attributes:
        store: where the history of runs is kept: a file, or the URL of a database on a PostgreSQL server.
        history: ``on``; ``off``: runs leave no trace; ``memory``: it ends with the process.
        results: the folder for the files of tasks with a ``target``.
        blobs: where results of more than 64 KiB are kept: a folder, beside the history unless set, or
            ``s3://BUCKET/PREFIX``.
        cache: ``on``; ``all``: task cells that only compute are cached, too; ``off``: what asks to be cached runs as
            others do; ``refresh``: it runs, and its results are kept anew.
        keep_results: whether runs keep the results of all their tasks, so that they can be resumed: ``on``, ``off``, or
            ``auto``: those of the command line do.
        max_result_size: bytes of content that are kept of one result at most; 0: as many as there are.
        live_picture: whether ``flow.run()`` in a notebook shows the flow below its cell, and pictures are live: ``on``;
            ``static``: pictures are drawn anew instead, now and then; ``off``: as ``static``, and ``flow.run()`` shows none.
        keep_days: runs that ended longer ago are forgotten; 0 keeps all.
        origins: where each that is not a default was set: a variable, or ``key in file``.
    """

    store: Path | str
    history: str
    results: Path
    blobs: Path | str
    cache: str = "on"
    keep_results: str = "auto"
    max_result_size: int = 1_000_000_000
    live_picture: str = "on"
    keep_days: float = 90.0
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def store_name(self) -> str:
        """The store for people: without a password."""
        return without_password(str(self.store))


class Given(NamedTuple):
    """One value, as somebody has set it.

    Attributes:
        value: text from a variable, whatever TOML has from a file.
        origin: for sentences: the variable's name, or ``key in file``.
        base: what a relative path starts from.
    """

    value: Any
    origin: str
    base: Path


def settings_from(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings in force.

    Args:
        environment: variables; those of the process unless given. If given, no file is looked at without a ``folder``.
        folder: where the project's file is looked for, upwards; the working directory unless given.
    Raises:
        SettingsError: values or names cannot be understood; tells all of them.
    """
    files = () if environment is not None and folder is None else setting_files(folder)
    variables = os.environ if environment is None else environment
    given: dict[str, Given] = {}
    wrong: list[str] = []
    for file in reversed(files):
        given |= _from_file(file, wrong)
    given |= _from_variables(variables, wrong)
    values: dict[str, Any] = {}
    for name in [name for name in _READ if name in given]:
        try:
            values[name] = _READ[name](given[name])
        except SettingsError as error:
            wrong += error.sentences
    if wrong:
        raise SettingsError(*wrong)
    for name, place in (("store", "history.sqlite"), ("results", "results")):
        if name not in values:
            values[name] = data_folder() / place
    if "blobs" not in values:
        store = values["store"]
        values["blobs"] = (store.parent if isinstance(store, Path) else data_folder()) / "blobs"
    return Settings(
        **{"history": "on", **values},
        origins={name: one.origin for name, one in given.items()},
    )


def data_folder() -> Path:
    """The folder of this user's data."""
    from platformdirs import user_data_path

    return user_data_path("notebook_flows", appauthor=False)


def setting_files(folder: Path | None = None) -> tuple[Path, ...]:
    """The files that are looked at, those that come first before the others: the project's, then the user's."""
    from platformdirs import user_config_path

    of_user = user_config_path("notebook_flows", appauthor=False) / FILE
    of_project = _of_project(folder)
    found = [of_project] if of_project is not None else []
    return tuple([*found, of_user] if of_user.is_file() and of_user != of_project else found)


def _of_project(folder: Path | None) -> Path | None:
    """The nearest file upwards. A folder where anybody may put one, such as /tmp, is passed over."""
    try:
        start = Path.cwd() if folder is None else folder.absolute()
    except FileNotFoundError:  # somebody has removed the working directory
        return None
    for one in (start, *start.parents):
        for name in (FILE, "pyproject.toml"):
            file = one / name
            try:
                if file.is_file() and not one.stat().st_mode & stat.S_IWOTH and (name == FILE or _table_of(file)):
                    return file
            except OSError:  # not ours to read
                continue
        if (one / ".git").exists():
            return None
    return None


def _table_of(file: Path) -> Mapping[str, Any]:
    status = file.stat()
    return _parsed(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _parsed(file: Path, changed_ns: int, size: int) -> Mapping[str, Any]:
    """What a file sets; read again only when it has changed."""
    is_own = file.name == FILE
    text = file.read_text(encoding="utf-8", errors="replace")
    if not is_own and "notebook_flows" not in text:
        return {}
    import tomllib

    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is no TOML: {error}.") from None
    except RecursionError:
        raise SettingsError(f"{file} is no TOML that can be read: it is nested too deeply.") from None
    table = told if is_own else told.get("tool", {}).get("notebook_flows", {})
    if not isinstance(table, dict):
        raise SettingsError(f"[tool.notebook_flows] in {file} has to be a table.")
    return table


def _from_file(file: Path, wrong: list[str]) -> Iterator[tuple[str, Given]]:
    for key, value in _table_of(file).items():
        if key in _READ:
            yield key, Given(value, f"{key} in {file}", file.parent)
        elif key == "tool" and file.name == FILE:
            wrong.append(f"[tool.notebook_flows] is for pyproject.toml; in {file} settings stand in no table.")
        else:
            wrong.append(f"{key!r} in {file} is no setting.{did_you_mean(key.lower(), _READ) or _all_settings()}")


def _all_settings() -> str:
    return f" There are {', '.join(sorted(_READ))}."


def _from_variables(variables: Mapping[str, str], wrong: list[str]) -> Iterator[tuple[str, Given]]:
    for name in _READ:
        value = variables.get(f"{PREFIX}{name.upper()}")
        if value:
            yield name, Given(value, f"{PREFIX}{name.upper()}", Path())
    for variable in variables:
        if variable.startswith(PREFIX) and is_stray(variable):
            likely = did_you_mean(variable, [f"{PREFIX}{name.upper()}" for name in _READ])
            if _is_slip(variable):
                wrong.append(f"The variable {variable} is no setting.{likely}")


def is_stray(variable: str) -> bool:
    """Whether a variable with our prefix is none that we know.

    >>> is_stray("NOTEBOOK_FLOWS_STOER"), is_stray("NOTEBOOK_FLOWS_STORE"), is_stray("NOTEBOOK_FLOWS_SECRET_KEY")
    (True, False, False)
    """
    name = variable.removeprefix(PREFIX)
    return name.lower() not in _READ and name not in _NOT_SETTINGS and not name.startswith(("SECRET_", "TEST_"))


def _is_slip(variable: str) -> bool:
    """Whether the part after the prefix looks like a setting's; others may be somebody else's, and are let be."""
    return bool(did_you_mean(variable.removeprefix(PREFIX).lower(), _READ))


# What each setting can be


def _store(given: Given) -> Path | str:
    text = _text(given, "the path of a file, or a URL such as postgresql://user@host/database")
    if text == ":memory:":
        raise SettingsError(
            f"{given.origin} is ':memory:'; a history that ends with its process is history = \"memory\"."
        )
    found = _URL.match(text)
    if found is None:
        if _SLASHES_LEFT_OUT.match(text):
            raise SettingsError(
                f"{given.origin} is no URL and no path: a URL is such as postgresql://user@host/database."
            )
        return _path(given)
    scheme = found[1].lower()
    if scheme == "sqlite":
        return _path(given._replace(value=text.partition("://")[2].removeprefix("/") or "history.sqlite"))
    if scheme not in _SERVERS:
        raise SettingsError(
            f"{given.origin} is a URL with {scheme!r}; a history is kept in a file, or in postgresql://..."
            f"{did_you_mean(scheme, _SERVERS)}"
        )
    return text


def _blobs(given: Given) -> Path | str:
    text = _text(given, "the path of a folder, or s3://BUCKET/PREFIX")
    found = _URL.match(text) or _SLASHES_LEFT_OUT.match(text)
    if found is None:
        return _path(given)
    if re.match(r"s3://[^/]", text):
        return text
    if found[1].lower() == "s3":
        raise SettingsError(f"{given.origin} is an address without a bucket; it has to be s3://BUCKET/PREFIX.")
    raise SettingsError(
        f"{given.origin} is a URL with {found[1]!r}; results are kept in a folder, or in s3://BUCKET/PREFIX."
    )


def _folder(given: Given) -> Path:
    found = _URL.match(_text(given, "the path of a folder"))
    if found is not None:
        raise SettingsError(f"{given.origin} is a URL with {found[1]!r}; it has to be the path of a folder.")
    return _path(given)


def _one_of(*choices: str) -> Callable[[Given], str]:
    def read(given: Given) -> str:
        value = (
            {True: "on", False: "off"}.get(given.value, given.value) if isinstance(given.value, bool) else given.value
        )
        told = str(value).lower()
        if told not in choices:
            listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
            raise SettingsError(f"{given.origin} is {value!r}; it can be {listed}.{did_you_mean(told, choices)}")
        return told

    return read


def _keep_days(given: Given) -> float:
    try:
        days = float(given.value)
    except (TypeError, ValueError):
        days = -1.0
    if isinstance(given.value, bool) or not 0 <= days < 1e6:
        raise SettingsError(f"{given.origin} is {given.value!r}; it is a number of days, 0 to keep all.")
    return days


def _size(given: Given) -> int:
    told = None if isinstance(given.value, bool) else bytes_of(str(given.value))
    if told is None:
        raise SettingsError(f"{given.origin} is {given.value!r}; it is a size such as 500MB or 2GB, 0 for any.")
    return told


def bytes_of(text: str) -> int | None:
    """A number of bytes; None: the text is no size.

    >>> bytes_of("5GB"), bytes_of("100 k"), bytes_of("much")
    (5000000000, 100000, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    return None if found is None else int(float(found[1]) * 1000 ** " kmgt".index(found[2] or " "))


def _path(given: Given) -> Path:
    text = _text(given, "a path")
    try:
        return Path(os.path.abspath(given.base / Path(text).expanduser()))  # noqa: PTH100 - without following links
    except (RuntimeError, ValueError):  # "~nobody": there is no such user, or no home is known
        raise SettingsError(
            f"{given.origin} is {text!r}; the home of {text.split('/')[0]!r} is unknown: give the path in full."
        ) from None


def _text(given: Given, what: str) -> str:
    if not isinstance(given.value, str) or not given.value or "\0" in given.value:
        raise SettingsError(f"{given.origin} is {given.value!r}; it has to be {what}.")
    return given.value


_READ: dict[str, Callable[[Given], Any]] = {
    "store": _store,
    "history": _one_of(*HISTORY_CHOICES),
    "results": _folder,
    "blobs": _blobs,
    "cache": _one_of(*CACHE_CHOICES),
    "keep_results": _one_of(*KEEP_CHOICES),
    "max_result_size": _size,
    "live_picture": _one_of(*PICTURE_CHOICES),
    "keep_days": _keep_days,
}
"""Every setting, by its key in a file; the variable is the same in capitals, after the prefix."""


def without_password(text: str) -> str:
    """A URL without the secrets in it; anything else as it is.

    >>> without_password("postgresql://me:p@ss/w@db:5432/runs?schema=a&sslpassword=x")
    'postgresql://me@db:5432/runs?schema=a&sslpassword=***'
    """
    if _URL.match(text) is None:
        return text
    before, query, after = text.partition("?")
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1@", before)
    return shown + query + re.sub(r"(password=)[^&]*", r"\1***", after)
