"""What old notebooks hand to a flow and nothing reads any more: kept as it was given."""

from __future__ import annotations

from typing import Any


class Record:
    """The arguments that it was made with; its class' name says what it was for.

    >>> Record(image="python:3.11").options
    {'image': 'python:3.11'}
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments = arguments
        self.options = options

    def __getattr__(self, name: str) -> Any:
        options: dict[str, Any] = self.__dict__.get("options", {})
        try:
            return options[name]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__} was made without {name!r}, and nothing reads it here."
            ) from None

    def __repr__(self) -> str:
        given = [*map(repr, self.arguments), *(f"{key}={value!r}" for key, value in self.options.items())]
        return f"{type(self).__name__}({', '.join(given)})"
