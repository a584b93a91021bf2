"""The addresses below ``/notebook-flows/api``: each asks for Jupyter's own authentication and authorization first."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, RequestHandler, authenticated, stream_request_body

from notebook_flows._version import __version__
from notebook_flows.core.plan import checked_run_id
from notebook_flows.errors import FlowError, ParameterError
from notebook_flows.server import runs
from notebook_flows.server.wish import KINDS, WishError, wish_from

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

READERS = 2
"""So many looks into the history at a time: a database that does not answer holds up no other part of the server."""
LONGEST_BODY = 4096
TOO_LONG = f"The body of a request has {LONGEST_BODY} bytes at most."
ANSWERS = {"cancel": "The run is asked to stop.", "retry": "What has failed is tried again, as soon as there is room."}
MOST_EVENTS = 1000
HIGHEST_SEQ = (1 << 63) - 1


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, thread_name_prefix="notebook-flows-server")


class _Handler(APIHandler):
    """What all have in common.

    Attributes:
        auth_resource: by which a server's authorizer knows what is asked for.
    """

    auth_resource = "notebook_flows"

    async def _done(self, function: Callable[..., T], *args: Any, **more: Any) -> T:
        """Let a function look into the history, in a thread; what is wrong becomes a status and a sentence."""
        try:
            return await asyncio.get_running_loop().run_in_executor(_readers(), partial(function, *args, **more))
        except runs.UnseenRunError as error:
            raise told(404, error) from error
        except runs.RunOverError as error:
            raise told(409, error) from error
        except FlowError as error:
            raise told(503, error) from error

    def _whole_id(self, run_id: str) -> str:
        try:
            return checked_run_id(run_id)
        except ParameterError as error:
            raise told(400, "The id of a run has up to 64 letters, digits, '.', '_' and '-'.") from error

    def _number(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if not least <= number <= most:
            raise told(400, f"`{name}` has to be a whole number from {least} to {most}.")
        return number

    def _tell(self, answer: dict[str, Any], *, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer))


class Capabilities(_Handler):
    """Tells that we are here, and what can be asked of runs."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """``{"version": ..., "kinds": [...]}``."""
        self._tell({"version": __version__, "kinds": list(KINDS)})


class Run(_Handler):
    """One run."""

    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """How it stands, if this server's history has it; see `runs.known`."""
        self._tell(await self._done(runs.known, self._whole_id(run_id)))


class Events(_Handler):
    """What has happened in a run."""

    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """The events after number ``after``, ``limit`` at most; see `runs.events`."""
        after = self._number("after", 0, least=0, most=HIGHEST_SEQ)
        limit = self._number("limit", MOST_EVENTS, least=1, most=MOST_EVENTS)
        self._tell(await self._done(runs.events, self._whole_id(run_id), after=after, limit=limit))


@stream_request_body
class Requests(_Handler):
    """What is asked of a run. Its body is read piece by piece, so that a huge one is refused before it is here."""

    async def prepare(self) -> None:  # type: ignore[override] # as Jupyter's own, which is awaited and gives nothing
        """Refuse whom the server does not know, and what says that it is too long."""
        self._read = bytearray()
        self._is_too_long = False
        await super().prepare()
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > LONGEST_BODY:
            raise told(413, TOO_LONG)

    def data_received(self, chunk: bytes) -> None:
        """A piece has come."""
        self._is_too_long = self._is_too_long or len(self._read) + len(chunk) > LONGEST_BODY
        if not self._is_too_long:
            self._read += chunk

    @authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """Ask what the body says; 202: whoever runs it will hear of it, within a second."""
        run_id = self._whole_id(run_id)
        if self._is_too_long:
            raise told(413, TOO_LONG)
        try:
            wish = wish_from(bytes(self._read))
        except WishError as error:
            raise told(400, error) from error
        number = await self._done(runs.ask, run_id, wish)
        self._tell({"request": number, "message": ANSWERS[wish.kind]}, status=202)


def told(status: int, what: object) -> HTTPError:
    """An answer that says what is wrong."""
    return HTTPError(status, str(what))


ADDRESSES: list[tuple[str, type[RequestHandler]]] = [
    (r"notebook-flows/api", Capabilities),
    (r"notebook-flows/api/runs/([^/]+)", Run),
    (r"notebook-flows/api/runs/([^/]+)/events", Events),
    (r"notebook-flows/api/runs/([^/]+)/requests", Requests),
]
"""(below the server's own, handler)."""
