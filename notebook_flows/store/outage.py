"""What happens while the history cannot be written: nothing new starts, outcomes are spooled, we try again for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.store.place import is_final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.ports import Clock
    from notebook_flows.errors import StoreError
    from notebook_flows.store.place import Place
    from notebook_flows.store.runlog import StoredRunLog

PATIENCE_S = 60.0


class Outage:
    """The state of being unwritable, or not.

    Attributes:
        error: what is wrong, or None if all is well.
        is_low: the reserve was given up so that what runs could be recorded; nothing new may start.
        is_over_patience: it has lasted longer than `PATIENCE_S`.
    """

    def __init__(self, place: Place, clock: Clock) -> None:
        self.error: StoreError | None = None
        self.is_low = False
        self._place = place
        self._clock = clock
        self._since_s: float | None = None
        self._tries = 0

    @property
    def is_over_patience(self) -> bool:
        """Whether it has lasted too long."""
        return self._since_s is not None and self._clock.monotonic_s() - self._since_s >= PATIENCE_S

    def met(self, error: Exception, logs: Sequence[StoredRunLog]) -> float | None:
        """A commit failed.

        Returns:
            Seconds to rest before the next try; None to give up, with `error` as the sentence to tell.
        """
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        self._tries += 1
        reason = self._place.judged(error)
        self.error = reason
        if self._place.make_room(error):
            self.is_low = True
            return 0.0
        where = self._spool(logs)
        if is_final(reason) or self.is_over_patience:
            self.error = type(reason)(f"{reason} {where}")
            return None
        return float(min(2.0, 0.1 * 2 ** min(self._tries, 6)))

    def _spool(self, logs: Sequence[StoredRunLog]) -> str:
        """Bring the logs' queues to a safe place; returns the sentence that says where."""
        files = []
        try:
            for log in logs:
                log.spool.keep(log.queued_events(), log.queued_contents())
                files.append(str(log.spool.file))
        except OSError as error:
            return f"What was not yet recorded could not be kept either ({error}), and will run again."
        return f"What was not yet recorded waits in {', '.join(files)} and is read at the next start."

    def committed(self, logs: Sequence[StoredRunLog]) -> None:
        """A commit succeeded: the outage is over, unless it took the reserve."""
        for log in logs:
            if log.spool.file is not None and not log.has_queued():
                log.spool.drop()
        if self.is_low:
            self.look_for_room()
        elif self.error is not None:
            self._end()

    def look_for_room(self) -> None:
        """End the outage if the disk has room for the reserve again, and some more."""
        if self._place.has_room():
            self.is_low = False
            self._end()

    def _end(self) -> None:
        self.error = None
        self._since_s = None
        self._tries = 0
