"""What a running task may ask of its run: `notebook_flows.context`."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_layers: ContextVar[Mapping[str, Any] | None] = ContextVar("notebook_flows.context", default=None)
attempt_here: ContextVar[Any] = ContextVar("notebook_flows.attempt", default=None)


class Context:
    """The keys that hold here and now, as attributes, as items, or by ``get``.

    In a task: ``flow_name``, ``flow_run_id``, ``flow_run_name``, ``parameters``, ``date``, ``today``, ``yesterday``,
    ``tomorrow`` (each also ``_nodash``), ``scheduled_start_time``, ``logger``, ``task_name``, ``task_full_name``,
    ``task_tags``, ``task_run_count`` (the attempt, 1 for the first), ``map_index``, ``task_loop_count``.
    In some: ``task_loop_result`` from the second round on; ``task_run_name`` in tasks that have one;
    ``upstream_states`` in those with an argument named ``context``; ``task_slug`` in those that have anything beyond
    their function, such as that argument, a timeout, a handler or a target. A plain task is just called: it costs
    nothing to prepare what it does not ask for. While a flow is built: ``flow``.

    >>> with context(colour="blue"):
    ...     context.colour
    'blue'
    """

    def __call__(self, mapping: Mapping[str, Any] | None = None, /, **keys: Any) -> _Layer:
        """A block in which these keys hold too."""
        return _Layer({**(mapping or {}), **keys})

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            known = ", ".join(sorted(self.to_dict())) or "nothing, for no task is running"
            raise AttributeError(f"The context has no {key!r} here; it has: {known}.") from None

    def __getitem__(self, key: str) -> Any:
        attempt = attempt_here.get()
        if attempt is not None:
            found = attempt.context_value(key)
            if found is not NotImplemented:
                return found
        layer = _layers.get()
        if layer is None:
            raise KeyError(key)
        return layer[key]

    def __contains__(self, key: object) -> bool:
        return key in self.to_dict()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one key, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def to_dict(self) -> dict[str, Any]:
        """All keys that hold here, as a dict of its own."""
        keys = dict(_layers.get() or {})
        attempt = attempt_here.get()
        if attempt is not None:
            keys.update(attempt.context_keys())
        return keys

    def __repr__(self) -> str:
        return f"<Context: {', '.join(sorted(self.to_dict()))}>"

    def __reduce__(self) -> str:
        """By name: it holds nothing itself, and in another process it shows the task that runs there."""
        return "context"


class _Layer:
    """Keys that hold inside a ``with`` block, over those outside."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys
        self._token: Token[Mapping[str, Any] | None] | None = None

    def __enter__(self) -> Context:
        self._token = _layers.set({**(_layers.get() or {}), **self._keys})
        return context

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _layers.reset(self._token)


@contextmanager
def raise_on_exception() -> Iterator[None]:
    """Inside, an exception of a task leaves `flow.run()` as it is, instead of becoming a Failed state."""
    with context(raise_on_exception=True):
        yield


context = Context()


def current_attempt() -> Any:
    """The attempt that runs here, or None."""
    return attempt_here.get()
