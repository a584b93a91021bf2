"""A real Jupyter server in a thread of this process, and plain HTTP to talk to it."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_server.serverapp import ServerApp
from tornado.httpserver import HTTPServer
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PATIENCE_S = 30
TOKEN = "only for tests"
BASE = "/user/one/"


@dataclass(frozen=True)
class Answer:
    """What the server has answered; a browser sends the cookie again."""

    status: int
    body: Any
    cookie: str

    @property
    def message(self) -> str:
        return str(self.body["message"])


@dataclass(frozen=True)
class Address:
    """Where the server listens; `BASE` comes before each path, as behind JupyterHub."""

    port: int

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """What it answers; the body as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"token {token}"
        try:
            connection.request(method, f"{BASE}notebook-flows/api{path}", body=body, headers=given)
            answer = connection.getresponse()
            cookies = [one.partition(";")[0] for one in answer.headers.get_all("Set-Cookie", [])]
            return Answer(answer.status, json.loads(answer.read()), "; ".join(cookies))
        finally:
            connection.close()

    def post(self, path: str, what: Any, **more: Any) -> Answer:
        """The same, with JSON in the body."""
        return self.ask(path, method="POST", body=json.dumps(what).encode(), **more)


@contextmanager
def serving(root: Path, **settings: Any) -> Iterator[Address]:
    """Serve until the end of the block."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def begin() -> None:
        app = ServerApp(config=_config(root, settings), log_level=logging.CRITICAL)
        app.init_signal = lambda: None
        app.initialize(argv=[], find_extensions=False, new_httpserver=False)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        server = HTTPServer(app.web_app, max_body_size=1 << 20)
        server.add_socket(listener)
        found.update(app=app, server=server, port=listener.getsockname()[1])

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(begin())
        except BaseException as error:
            found["error"] = error
            return
        finally:
            ready.set()
        loop.run_forever()

    async def end() -> None:
        found["server"].stop()
        await found["server"].close_all_connections()
        await found["app"]._cleanup()

    thread = threading.Thread(target=work, name="jupyter-server", daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    if "error" in found:
        raise found["error"]
    try:
        yield Address(found["port"])
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def _config(root: Path, settings: dict[str, Any]) -> Config:
    return Config(
        {
            "ServerApp": {
                "root_dir": str(root),
                "base_url": BASE,
                "allow_root": True,
                "open_browser": False,
                "allow_unauthenticated_access": False,
                "jpserver_extensions": {"notebook_flows": True},
                **settings,
            },
            "IdentityProvider": {"token": TOKEN},
            "NotebookNotary": {"db_file": ":memory:"},
        }
    )
