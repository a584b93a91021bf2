"""The address of a history on a server: `postgresql://user:password@host/database?schema=name`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from notebook_flows.errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import URL

SCHEMA = "notebook_flows"
_SECRETS = ("password", "sslpassword", "passfile", "sslkey", "service", "servicefile")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a history is.

    Attributes:
        url: for SQLAlchemy, with the password.
        schema: where the tables are.
        name: for people: without any secret.
    """

    url: URL
    schema: str
    name: str


def address_of(text: str) -> Address:
    """What a URL means.

    Raises:
        StoreUnavailable: it cannot be understood, or the driver is not installed. The URL is not repeated: it may
            hold a password.
    """
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise _not_installed("sqlalchemy") from None
    try:
        url = make_url(text)
        port = url.port
    except (ArgumentError, ValueError):
        raise StoreUnavailable(
            "NOTEBOOK_FLOWS_STORE is no URL that can be understood: "
            "it looks like postgresql://user:password@host:5432/database. "
            "A password with one of `@ : / ? # %` is written with %40 and the like."
        ) from None
    schema = url.query.get("schema", SCHEMA)
    if not isinstance(schema, str) or not schema or "\0" in schema or '"' in schema:
        raise StoreUnavailable("NOTEBOOK_FLOWS_STORE names no single schema: ...?schema=NAME")
    try:
        import psycopg  # noqa: F401 - whether it is there
    except ImportError:
        raise _not_installed("psycopg") from None
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["schema"])
    shown = url._replace(drivername="postgresql", password=None).difference_update_query(_SECRETS)
    if schema != SCHEMA:
        shown = shown.update_query_dict({"schema": schema})
    assert port is None or isinstance(port, int)
    return Address(url=url, schema=schema, name=shown.render_as_string(hide_password=False))


def _not_installed(package: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"A history in PostgreSQL needs the package {package!r}: pip install 'notebook-flows[postgres]'"
    )
