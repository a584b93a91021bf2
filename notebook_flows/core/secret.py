"""A value that is never shown and never written."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn


class Secret:
    """Hold a password or a token, so that histories, logs and reprs show ``***``.

    >>> Secret("hunter2")
    Secret('***')
    >>> Secret("hunter2").get()
    'hunter2'
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if isinstance(self._value, str) and isinstance(other._value, str):
            return hmac.compare_digest(self._value.encode(), other._value.encode())
        return bool(self._value == other._value)

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Secret is not pickled, so that its value reaches no file. A task in another process reads it there, "
            "from its environment."
        )
