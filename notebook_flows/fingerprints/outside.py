"""What a cell visibly takes from outside of the notebook: the clock, the network, chance. Nothing that a key could tell."""

from __future__ import annotations

from types import BuiltinMethodType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import library_of
from notebook_flows.fingerprints.names import names_of
from notebook_flows.fingerprints.reached import codes_reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

    from notebook_flows.fingerprints.names import Names

_NETWORK = (
    "aiohttp azure boto3 botocore ccxt ftplib google gspread httpx imaplib kaggle mlflow openai openml paramiko poplib "
    "praw psycopg psycopg2 pymongo pymysql redis requests selenium smtplib snowflake socket sqlalchemy ssl telnetlib "
    "tweepy urllib3 wandb websocket websockets yfinance"
)
NETWORK = frozenset(_NETWORK.split())
"""Top-level modules that are there to talk to others."""
NETWORK_PARTS = (
    "urllib.request",
    "http.client",
    "xmlrpc.client",
    "pandas.read_html",
    "pandas.read_gbq",
    "pandas.read_sql",
)
_TIMES = (
    "time time_ns localtime gmtime ctime strftime perf_counter perf_counter_ns monotonic monotonic_ns process_time "
    "process_time_ns thread_time thread_time_ns"
)
_CLOCKS = {
    "time": frozenset(_TIMES.split()),
    "timeit": frozenset({"timeit", "repeat", "default_timer"}),
    "datetime": frozenset({"now", "today", "utcnow"}),
    "pandas": frozenset({"now", "today"}),
    "arrow": frozenset({"now", "utcnow"}),
    "pendulum": frozenset({"now", "today"}),
}
_OF_OS = "environ environb getenv getcwd cpu_count getpid getppid getlogin uname getloadavg"
_ENVIRONMENT = {
    "os": frozenset(_OF_OS.split()),
    "sys": frozenset({"argv", "stdin", "executable"}),
    "getpass": frozenset({"getuser", "getpass"}),
    "threading": frozenset({"get_ident", "get_native_id"}),
}
_MACHINE = frozenset({"platform", "psutil"})
"""Modules that tell of the machine."""
_CHANCE = {
    "uuid": frozenset({"uuid1", "uuid4"}),
    "os": frozenset({"urandom", "getrandom"}),
    "secrets": frozenset({"token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits"}),
    "random": frozenset({"SystemRandom"}),
}
_UNSEEDED = frozenset({"default_rng", "RandomState", "Random", "SeedSequence", "PCG64", "MT19937", "Philox", "SFC64"})
"""What draws its seed from the machine if it is given none."""
_NOW = frozenset({"now", "today"})
_TOLD_TIMES = frozenset({"Timestamp", "to_datetime", "datetime64", "DatetimeIndex", "date_range", "Period"})
"""What takes a word for the time."""
_CHANCY_BUILTINS = {"id": "chance (id())", "hash": "chance (hash())", "input": "who sits at the keyboard (input())"}


def outside_of(
    codes: Iterable[CodeType],
    names: Mapping[str, Any],
    imports: Mapping[str, str],
    globals_of: Callable[[FunctionType], Mapping[str, Any]],
) -> str:
    """The first thing outside of the notebook that some code visibly uses, in a few words; empty: none is seen.

    Args:
        codes: of the cell.
        names: what it sees.
        imports: name -> the module, or the name in one, that the cell itself binds to it.
        globals_of: where the global names of a notebook's function are looked up.
    """
    for met in codes_reached(codes, names, globals_of):
        found, bound = names_of(met.code), imports if met.is_own else {}
        for _, module in found.imports:
            if _is_network(module):
                return f"the network ({module})"
        for path in found.globals:
            if path[0] in _CHANCY_BUILTINS and path[0] not in met.known:
                return _CHANCY_BUILTINS[path[0]]
            dotted = ".".join((bound.get(path[0]) or _dotted(met.known.get(path[0])), *path[1:]))
            said = _used(dotted) or _called(path, dotted, found)
            if said:
                return said
        for value in met.values:
            if type(value) is not FunctionType and (said := _used(_dotted(value))):
                return said
    return ""


def _called(path: tuple[str, ...], dotted: str, found: Names) -> str:
    """What a call takes from outside by what it is given, or not given."""
    last = dotted.rpartition(".")[2]
    if path in found.bare and last in _UNSEEDED and dotted.partition(".")[0] in {"numpy", "random"}:
        return f"chance ({dotted}() without a seed)"
    word = next((text for one, text in found.told if one == path and text in _NOW), "")
    if word and last in _TOLD_TIMES and dotted.partition(".")[0] in {"numpy", "pandas"}:
        return f"the clock ({dotted}({word!r}))"
    return ""


def _dotted(value: Any) -> str:
    """How a value is called in the library that it is from; nothing for what is of no library."""
    if isinstance(value, ModuleType):
        return value.__name__
    owner = getattr(value, "__self__", None)
    if isinstance(value, BuiltinMethodType) and isinstance(owner, type):  # `datetime.now`, held somewhere
        return f"{owner.__module__}.{value.__qualname__}"
    module = getattr(value, "__module__", None)
    if isinstance(module, str) and library_of(module) is not None:
        name = getattr(value, "__qualname__", "")
        return f"{module}.{name}" if isinstance(name, str) else module
    return ""


def _used(dotted: str) -> str:
    if _is_network(dotted):
        return f"the network ({dotted})"
    root, _, rest = dotted.partition(".")
    words = frozenset(rest.split("."))
    if words & _CLOCKS.get(root, frozenset()):
        return f"the clock ({dotted})"
    if words & _ENVIRONMENT.get(root, frozenset()) or (root in _MACHINE and rest):
        return f"the environment ({dotted})"
    if words & _CHANCE.get(root, frozenset()):
        return f"chance ({dotted})"
    return ""


def _is_network(dotted: str) -> bool:
    return dotted.partition(".")[0] in NETWORK or any(
        dotted == one or dotted.startswith(f"{one}.") for one in NETWORK_PARTS
    )
