"""What tells of the parameters of two runs whether they are the same."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from notebook_flows.fingerprints import fingerprint
from notebook_flows.workspace.histories import secret_key


def parameter_print(value: Any) -> str:
    """The fingerprint of a parameter; one that has none is like no other."""
    try:
        return fingerprint(value, secret_key=secret_key())
    except Exception:  # Unhashable; and what a value of the user's own raises when it is looked at
        return token_hex(16)
