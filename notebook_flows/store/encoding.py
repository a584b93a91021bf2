"""Events as the history keeps them, and what a batch of them changes in the projections.

An event's body is a JSON array without its trailing defaults, so that the two events of a plain task stay small:

    [at_us, node, state]                                            a plain task
    [at_us, node, state, kind, index, attempt, loop, data]          everything told
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.errors import StoreCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LARGE_BODY = 4096
"""Characters from which a body is handed to SQLite by itself: its JSON functions would parse it twice."""

_STATES = {int(state): state for state in S}
_KINDS = {kind.value: kind for kind in Kind}
_NUMBERS = tuple(range(max(S) + 1))
_TASK = Kind.TASK
_OF_NO_ATTEMPT = frozenset({Kind.VERDICT, Kind.REOPENED})
_CACHED = S.CACHED
_CACHED_NUMBER = int(S.CACHED)
_OF_A_HIT = ("result", "message")
PlainRow = tuple[int, int, int, int | None, int | None]
compact = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""JSON of values of our own making: nothing is checked."""
_strict = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class RowDamaged(StoreCorrupt):
    """A row of the history that does not say what such a row says.

    Attributes:
        what: it is about, for a sentence.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"The history is damaged: {self.what} cannot be read. "
            "`notebook-flows store check` tells all that is wrong with it, and `notebook-flows doctor` where it is."
        )


@dataclass(slots=True)
class RunChange:
    """What a batch says of the run itself."""

    state: S
    message: str = ""
    started_us: int | None = None
    ended_us: int | None = None
    counts: Mapping[str, int] | None = None
    """{state's number: task runs}, where the run's end tells it; see `core.run.tally`."""


@dataclass(slots=True)
class Batch:
    """Consecutive events of one run, ready to be written.

    Attributes:
        first_seq, last_seq: both included.
        chunks: the first seq and the bodies, one after the other, for small bodies.
        large: seq and body, one by one.
        plain: for tasks without map, retry, loop and data, by node: (node, seq, state, started_us, ended_us).
        attached: of what tasks have attached, seq and the content's SHA-256.
        other: the rest, by (node, index, loop, attempt): the same but the node, then the last message and result that
            were told.
        hits: of task runs that were taken from the cache, one after the other and six values of each: (node, index, seq,
            ended_us, message, result as JSON). Nothing comes after a hit, so they are written last. Rows of their own
            would be walked by the garbage collector.
    """

    first_seq: int
    last_seq: int
    chunks: list[tuple[int, list[str]]] = field(default_factory=list)
    large: list[tuple[int, str]] = field(default_factory=list)
    plain: dict[int, PlainRow] = field(default_factory=dict)
    other: dict[tuple[int, int, int, int], list[Any]] = field(default_factory=dict)
    hits: list[Any] = field(default_factory=list)
    attached: list[tuple[int, str | None]] = field(default_factory=list)
    run: RunChange | None = None


PlainEvent = tuple[int, int, int]
"""(at_us, node, state's number) of a task without map, retry, loop and data.

Made of nothing but numbers, so that the garbage collector lets it be: of many events that wait to be written, it would
walk all, again and again.
"""
HitEvent = tuple[int, int, int, str, str]
"""(at_us, node, index, key, message) of a task run that was taken from the cache; of numbers and texts, for the same reason."""
LightEvent = PlainEvent | HitEvent


def lightened(event: Event) -> LightEvent | Event:
    """The event, as light as it can be kept while its number is known from its place.

    >>> lightened(Event(7, 1000, Kind.TASK, 3, -1, 1, 1, S.RUNNING, None))
    (1000, 3, 3)
    """
    _, at_us, kind, node, index, attempt, loop, state, data = event
    if data is None:
        if attempt == 1 and index == UNMAPPED and loop == 1 and kind is _TASK:
            return (at_us, node, _NUMBERS[state])
    elif state is _CACHED and not attempt and loop == 1 and kind is _TASK and tuple(data) == _OF_A_HIT:
        result, message = data.values()
        if type(message) is str and type(result) is dict and len(result) == 1:
            key = result.get("cached")
            if type(key) is str:
                return (at_us, node, index, key, message)
    return event


def whole(seq: int, event: LightEvent | Event) -> Event:
    """The event that was lightened."""
    if isinstance(event, Event):
        return event
    if len(event) == 3:
        return _event(seq, *event)
    at_us, node, index, key, message = event
    data = {"result": {"cached": key}, "message": message}
    return Event(seq, at_us, _TASK, node, index, 0, 1, _CACHED, data)


def encode(events: Sequence[LightEvent | Event], first_seq: int | None = None) -> Batch:
    """The batch of some consecutive events, at least one.

    One pass in plain Python: it is on the path of every task.

    Args:
        events: in their order.
        first_seq: the number of the first; not needed where that one is whole.
    """
    seq = (events[0].seq if isinstance(events[0], Event) else 1) if first_seq is None else first_seq
    batch = Batch(seq, seq + len(events) - 1)
    bodies: list[str] = []
    plain, other, hits, running = batch.plain, batch.other, batch.hits, int(S.RUNNING)
    start = seq
    said, tail, shown = None, "", None  # of hits that are from one run, most say the very same
    for one in events:
        event = lightened(one) if isinstance(one, Event) else one
        if isinstance(event, Event):
            body = encode_body(event)
            if len(body) > LARGE_BODY:
                batch.large.append((seq, body))
                if bodies:
                    batch.chunks.append((start, bodies))
                    bodies = []
                start = seq + 1
            else:
                bodies.append(body)
            if event.kind is Kind.RUN:
                batch.run = _run_changed(batch.run, event)
            elif event.kind is Kind.ARTIFACT:
                content = event.data.get("content") if event.data else None
                batch.attached.append((seq, content["sha256"] if content else None))
            elif event.kind not in _OF_NO_ATTEMPT:
                if event.state is _CACHED and not event.attempt and event.loop == 1 and event.kind is _TASK:
                    hits.extend(_hit_from(event))
                else:
                    _task_changed(plain, other, event)
        elif len(event) == 5:
            at_us, node, index, key, message = event
            result = f'{{"cached":{quoted(key)}}}'
            if message is not said:
                said, tail, shown = message, f',"message":{quoted(message)}}}]', clean_text(message) or None
            bodies.append(f'[{at_us},{node},{_CACHED_NUMBER},"task",{index},0,1,{{"result":{result}{tail}')
            hits += (node, index, seq, at_us, shown, result)
        else:
            at_us, node, number = event
            bodies.append(f"[{at_us},{node},{number}]")
            if number == running:
                plain[node] = (node, seq, number, at_us, None)
            else:
                begun = plain.get(node)
                started_us = None if begun is None else begun[3]
                plain[node] = (node, seq, number, started_us, at_us if number > running else None)
        seq += 1
    if bodies:
        batch.chunks.append((start, bodies))
    return batch


def hits_in_rows(hits: Sequence[Any]) -> Iterator[tuple[int, int, int, int, str | None, str | None]]:
    """The rows of `Batch.hits`: (node, index, seq, ended_us, message, result as JSON)."""
    values = iter(hits)
    return zip(values, values, values, values, values, values, strict=True)


def _hit_from(event: Event) -> tuple[int, int, int, int, str | None, str | None]:
    """The values in `Batch.hits` of an event that is no light one."""
    result = (event.data or {}).get("result")
    told = None if result is None else to_json(result)
    return event.node, event.index, event.seq, event.at_us, message_of(event.data) or None, told


def _run_changed(change: RunChange | None, event: Event) -> RunChange:
    change = change or RunChange(event.state)
    change.state = event.state
    change.message = message_of(event.data)
    if event.state == S.RUNNING and change.started_us is None:
        change.started_us = event.at_us
    change.ended_us = event.at_us if IS_FINAL[event.state] else None
    change.counts = event.data.get("counts") if event.data else None
    return change


def _task_changed(plain: dict[int, PlainRow], other: dict[tuple[int, int, int, int], list[Any]], event: Event) -> None:
    key = (event.node, event.index, event.loop, event.attempt)
    begun = plain.pop(event.node, None) if key[1:] == (UNMAPPED, 1, 1) else None
    row = other.setdefault(key, [0, 0, None, None, None, None])
    if begun is not None and begun[3] is not None:
        row[2] = begun[3]
    row[0] = event.seq
    row[1] = _NUMBERS[event.state]
    if event.state == S.RUNNING:
        row[2] = event.at_us
    row[3] = event.at_us if event.state > S.RUNNING else None
    if event.data is not None:
        row[4] = message_of(event.data) or row[4]
        row[5] = event.data.get("result", row[5])


def message_of(data: Mapping[str, Any] | None) -> str:
    """The message in an event's data, as a text that every store can hold."""
    return clean_text(data.get("message") or "") if data else ""


def clean_text(text: object) -> str:
    """The text without what UTF-8 or SQLite cannot hold: lone surrogates and NUL."""
    text = str(text)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "␀")


def encode_body(event: Event) -> str:
    """The body of one event.

    >>> from notebook_flows.core.lifecycle import S
    >>> encode_body(Event(7, 1000, Kind.TASK, 3, -1, 1, 1, S.RUNNING, None))
    '[1000,3,3]'
    """
    _, at_us, kind, node, index, attempt, loop, state, data = event
    head = f"{at_us},{node},{state:d}"
    if data is not None:
        return f'[{head},"{kind}",{index},{attempt},{loop},{to_json(data)}]'
    if loop != 1:
        return f'[{head},"{kind}",{index},{attempt},{loop}]'
    if attempt != 1:
        return f'[{head},"{kind}",{index},{attempt}]'
    if index != UNMAPPED:
        return f'[{head},"{kind}",{index}]'
    return f"[{head}]" if kind is Kind.TASK else f'[{head},"{kind}"]'


def decode(rows: Iterable[tuple[int, str]]) -> list[Event]:
    """The events of some (seq, body) rows.

    Raises:
        RowDamaged: one of them is no event.
    """
    pairs = list(rows)
    try:
        return _decoded(pairs)
    except (ValueError, TypeError, KeyError) as error:
        raise RowDamaged(f"event {_first_damaged(pairs)} of the run") from error


def _decoded(pairs: Sequence[tuple[int, str]]) -> list[Event]:
    bodies = json.loads(f"[{','.join([body for _, body in pairs])}]")
    return [_event(seq, *body) for (seq, _), body in zip(pairs, bodies, strict=True)]


def _first_damaged(pairs: Sequence[tuple[int, str]]) -> int:
    for pair in pairs:
        try:
            _decoded([pair])
        except (ValueError, TypeError, KeyError):
            return pair[0]
    return pairs[0][0]  # each is JSON only together with the others


def _event(
    seq: int,
    at_us: int,
    node: int,
    state: int,
    kind: str = "task",
    index: int = UNMAPPED,
    attempt: int = 1,
    loop: int = 1,
    data: dict[str, Any] | None = None,
) -> Event:
    return Event(seq, at_us, _KINDS[kind], node, index, attempt, loop, _STATES[state], data)


def state_of(number: int) -> S:
    """The state with this number.

    Raises:
        RowDamaged: there is none.
    """
    try:
        return _STATES[number]
    except KeyError:
        raise RowDamaged(f"a state {number!r}") from None


def from_json(text: str, what: str) -> Any:
    """What JSON in a row says.

    Args:
        text: of the row.
        what: it says, for the error.
    Raises:
        RowDamaged: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise RowDamaged(what) from error


def to_json(value: Any) -> str:
    """The value as ASCII JSON. What JSON cannot tell is replaced by its kind: one odd value must not stop a history."""
    try:
        return _strict(value)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_tellable(value, depth=0), separators=(",", ":"))


def _tellable(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if depth < 50:
        if hasattr(value, "items"):
            return {str(key): _tellable(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_tellable(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"
