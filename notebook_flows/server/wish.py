"""What a page asks of a run, read from the body of its message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError, did_you_mean
from notebook_flows.widget.flowmessage import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("cancel", "retry")
LONGEST_REASON = 500
CLICKED = {"cancel": CANCELLED, "retry": "Asked for by a click on its picture."}


class WishError(FlowError, ValueError):
    """A message that asks for nothing that can be asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked of a run.

    Attributes:
        kind: one of `KINDS`; the verb of the request in the history.
        payload: what belongs to it.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)


def wish_from(body: bytes) -> Wish:
    """What a body of JSON asks for.

    >>> wish_from(b'{"kind": "cancel", "reason": "Enough."}')
    Wish(kind='cancel', payload={'reason': 'Enough.'})

    Raises:
        WishError: it cannot be understood.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WishError("The body of the request is no JSON.") from error
    if not isinstance(told, dict):
        raise WishError('The body of the request has to be an object, such as {"kind": "cancel"}.')
    kind = told.get("kind")
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        raise WishError(f"The kind of a request is {' or '.join(KINDS)}.{hint}")
    if set(told) - {"kind", "reason"}:
        raise WishError("A request has a kind and a reason, and nothing else.")
    reason = told.get("reason", CLICKED[kind])
    if not isinstance(reason, str) or not 0 < len(reason) <= LONGEST_REASON:
        raise WishError(f"A reason is a text of 1 to {LONGEST_REASON} characters.")
    return Wish(kind=kind, payload={"reason": reason})
