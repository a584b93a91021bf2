"""Secrets of a run: how they reach its kernel without being written anywhere, and how the notebook asks for them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from notebook_flows.core.secret import Secret
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.notebook.kinds import Kind

VARIABLE = "NOTEBOOK_FLOWS_SECRET_"
_given: dict[str, Any] = {}


class OpenSecret(Secret):
    """A secret that the notebook gets as its plain value: its parameter is not declared as a `Secret`."""

    __slots__ = ()


class NoSecret(FlowError, LookupError):  # noqa: N818 - the sentence that people read
    """A secret that was given to nobody."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"No secret {self.name!r} was given to this run. Give it: notebook-flows run ... -p {self.name}=@env:NAME; "
            f"or, when running by hand, set the environment variable {VARIABLE}{self.name.upper()}."
        )


def given_secret(name: str) -> Secret:
    """The secret that this run was given under a name; the cell ``injected-parameters`` asks for it.

    In a notebook that is run by hand the environment variable ``NOTEBOOK_FLOWS_SECRET_NAME`` is looked at instead.

    Raises:
        NoSecret: there is none.
    """
    if name in _given:
        return Secret(_given[name])
    try:
        return Secret(os.environ[f"{VARIABLE}{name.upper()}"])
    except KeyError:
        raise NoSecret(name) from None


def give(text: str) -> None:
    """Take over the secrets of a run, in its kernel: the JSON of {name: value}."""
    _given.update(json.loads(text))


def values_given() -> tuple[str, ...]:
    """The values of the secrets that this kernel was given, as far as they are texts; none of them may be written."""
    by_hand = [value for name, value in os.environ.items() if name.startswith(VARIABLE)]
    return tuple(value for value in (*_given.values(), *by_hand) if isinstance(value, str))


def is_secret_kind(kind: Kind) -> bool:
    """Whether a parameter is declared as a `Secret`, or as one or None.

    >>> from notebook_flows.notebook.kinds import kind_from_text
    >>> is_secret_kind(kind_from_text("notebook_flows.Secret | None")), is_secret_kind(kind_from_text("str"))
    (True, False)
    """
    return kind.text.rpartition(".")[2] == "Secret" or any(map(is_secret_kind, kind.parts))


def code_for(secret: Secret, name: str) -> str:
    """The code that the notebook shows in place of a secret's value."""
    asked = f'__import__("notebook_flows").given_secret({name!r})'
    return f"{asked}.get()" if isinstance(secret, OpenSecret) else asked


def prologue_for(values: Mapping[str, Secret]) -> str:
    """What is run in the kernel, in silence, before the first cell; it leaves no name behind."""
    text = json.dumps({name: secret.get() for name, secret in values.items()})
    return f'__import__("notebook_flows.notebook.secrets", fromlist=["give"]).give({text!r})'


def secrets_among(values: Mapping[str, Any]) -> dict[str, Secret]:
    """Those of some parameters that are secret."""
    return {name: value for name, value in values.items() if isinstance(value, Secret)}
