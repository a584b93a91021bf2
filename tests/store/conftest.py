"""What the store's tests share: one PostgreSQL server for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()
