"""What a cell visibly takes from outside of the notebook: the clock, the network, chance. Nothing that a key could tell."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import library_of
from notebook_flows.fingerprints.names import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

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
_CLOCKS = {
    "time": frozenset({"time", "time_ns", "localtime", "gmtime", "ctime", "strftime"}),
    "datetime": frozenset({"now", "today", "utcnow"}),
    "pandas": frozenset({"now", "today"}),
    "arrow": frozenset({"now", "utcnow"}),
    "pendulum": frozenset({"now", "today"}),
}
_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getcwd", "cpu_count", "getpid"})
_CHANCE = {
    "uuid": frozenset({"uuid1", "uuid4"}),
    "os": frozenset({"urandom", "getrandom"}),
    "secrets": frozenset({"token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits"}),
}


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
    seen: set[int] = set()
    waiting: list[tuple[CodeType, Mapping[str, Any], Mapping[str, str]]] = [(code, names, imports) for code in codes]
    while waiting:
        code, known, bound = waiting.pop()
        if id(code) in seen:
            continue
        seen.add(id(code))
        found = names_of(code)
        for _, module in found.imports:
            if _is_network(module):
                return f"the network ({module})"
        for path in found.globals:
            value = known.get(path[0])
            said = _used(".".join((bound.get(path[0]) or _dotted(value), *path[1:])))
            if said:
                return said
            if type(value) is FunctionType and library_of(value.__module__) is None:
                waiting.append((value.__code__, globals_of(value), {}))
    return ""


def _dotted(value: Any) -> str:
    """How a value is called in the library that it is from; nothing for what is of no library."""
    if isinstance(value, ModuleType):
        return value.__name__
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
    if root == "os" and words & _ENVIRONMENT:
        return f"the environment ({dotted})"
    if words & _CHANCE.get(root, frozenset()):
        return f"chance ({dotted})"
    return ""


def _is_network(dotted: str) -> bool:
    return dotted.partition(".")[0] in NETWORK or any(
        dotted == one or dotted.startswith(f"{one}.") for one in NETWORK_PARTS
    )
