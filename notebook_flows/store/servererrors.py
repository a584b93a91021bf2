"""What a PostgreSQL server, or the way to it, says when it cannot: as sentences of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from notebook_flows.errors import StoreCorrupt, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK_TIMEOUT_S = 30

_WRONG_PASSWORD = re.compile(r"authentication failed|no password supplied|role .* does not exist|no pg_hba.conf entry")
_NO_DATABASE = re.compile(r'database "(?P<name>.*)" does not exist')


def _refused(name: str, reason: str) -> StoreError:
    return StoreUnavailable(
        f"PostgreSQL lets nobody in at {name}: {reason}. Put the right user and password into NOTEBOOK_FLOWS_STORE, "
        "or the password into ~/.pgpass."
    )


def _no_database(name: str, reason: str) -> StoreError:
    found = _NO_DATABASE.search(reason)
    database = found["name"] if found else "NAME"
    return StoreUnavailable(f"{name}: there is no such database. Make it: createdb {database}")


def _read_only(name: str, reason: str) -> StoreError:
    return StoreUnavailable(f"The history {name} is read-only here: it can be looked at, but nothing can run.")


def _not_allowed(name: str, reason: str) -> StoreError:
    return StoreUnavailable(
        f"The user of {name} may not do what a history needs: {reason}. Grant it CREATE on the database, "
        "or all on the history's schema."
    )


def _full(name: str, reason: str) -> StoreError:
    return StoreUnavailable(f"The disk of the server with the history {name} is full: free some space and try again.")


def _crowded(name: str, reason: str) -> StoreError:
    return StoreUnavailable(f"The server of {name} has no connection left: {reason}. Raise its max_connections.")


def _locked(name: str, reason: str) -> StoreError:
    return StoreUnavailable(f"The history {name} has been locked by somebody else for {LOCK_TIMEOUT_S} s.")


def _damaged(name: str, reason: str) -> StoreError:
    return StoreCorrupt(f"The history {name} is damaged: {reason}. Restore a backup, or name another history.")


def _foreign(name: str, reason: str) -> StoreError:
    return StoreCorrupt(
        f"The tables of {name} are no history of notebook_flows, or were changed by hand: {reason}. "
        "Restore a backup, or name another schema: ...?schema=NAME"
    )


_OF_CODE: dict[str, Callable[[str, str], StoreError]] = {
    "28000": _refused,
    "28P01": _refused,
    "3D000": _no_database,
    "25006": _read_only,
    "42501": _not_allowed,
    "53100": _full,
    "53300": _crowded,
    "55P03": _locked,
    "XX001": _damaged,
    "XX002": _damaged,
    "42P01": _foreign,
    "42703": _foreign,
    "42P07": _foreign,
}
_OF_WORDS = (
    (_NO_DATABASE, _no_database),
    (_WRONG_PASSWORD, _refused),
    (re.compile("too many clients|remaining connection slots"), _crowded),
)


def as_server_error(error: BaseException, name: str, *, doing: str) -> StoreError:
    """One sentence of what is wrong and what to do; an error of ours stays as it is.

    Args:
        error: what psycopg, SQLAlchemy or the system said.
        name: the history's, without its password.
        doing: ``read`` or ``written``: what did not work.
    """
    if isinstance(error, StoreError):
        return error
    said = getattr(error, "orig", None) or error
    reason = reason_of(said)
    code = getattr(said, "sqlstate", None)
    if code in _OF_CODE:
        return _OF_CODE[code](name, reason)
    if code is None or code[:2] == "08" or code[:3] == "57P":
        for words, told in _OF_WORDS:
            if words.search(reason):
                return told(name, reason)
        return StoreUnavailable(f"The server of {name} cannot be reached: {reason}.")
    return StoreUnavailable(f"The history {name} cannot be {doing}: {reason}.")


def reason_of(error: BaseException) -> str:
    r"""The first thing that is said, without a full stop.

    >>> reason_of(OSError('connection failed: connection to "db" failed: FATAL:  no such thing\nIs it there?'))
    'no such thing'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    for before in ("FATAL:", "connection failed:", "ERROR:"):
        first = first.rpartition(before)[2].strip() or first
    return first.rstrip(".")
