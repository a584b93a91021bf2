"""A session with a PostgreSQL server that does not wait for ever: one that hangs says nothing, and keeps its sockets open."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator

SILENCE_S = 60.0
"""Longer than anybody waits for a lock: who says nothing for so long has hung."""


class PatientConnection(psycopg.Connection[Any]):
    """Gives a server up that says nothing for `SILENCE_S`."""

    def wait(self, gen: Generator[Any, Any, Any], interval: float = 0.1, **more: Any) -> Any:  # type: ignore[override] # psycopg's own has grown arguments
        """Follow what psycopg does step by step; the session is closed when the server is given up.

        Raises:
            psycopg.OperationalError: it has said nothing for too long.
        """
        return super().wait(self._while_it_answers(gen), interval, **more)

    def _while_it_answers(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        heard_s = monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard_s = monotonic()
                elif monotonic() - heard_s > SILENCE_S:
                    self.close()
                    raise psycopg.OperationalError(f"it has not answered for {SILENCE_S:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
