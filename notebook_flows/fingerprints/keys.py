"""The key under which a result is kept: the code that made it, what it was given, and what was declared of it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.walk import SIZE, Walk, fingerprint, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.task import Task

RULES = 1
"""Raised whenever the rules of fingerprints change, so that no key of old rules is taken for one of new rules."""
LASTING = frozenset({int, float, complex, bool, str, bytes, type(None)})


class Fingerprints:
    """Fingerprints of one run: code is read once for each task's function.

    Args:
        secret_key: of the store, with which secrets are hashed; without one, what holds a secret has no fingerprint.
    """

    def __init__(self, *, secret_key: bytes | None = None) -> None:
        self._secret_key = secret_key
        self._codes: dict[int, tuple[Any, str | Unhashable]] = {}
        self._texts: dict[int, str] = {}

    def of_value(self, value: Any) -> str:
        """The fingerprint of a value.

        Raises:
            Unhashable: it has none; says why.
        """
        return fingerprint(value, secret_key=self._secret_key)

    def of_code(self, task: Task) -> str:
        """The fingerprint of what a task runs, as it was when it was first asked for in this run.

        Raises:
            Unhashable: it uses something that has none; says what and why.
        """
        what = getattr(task.run, "__func__", None) or task.run
        anchor = what if "run" in vars(task) else task
        known = self._codes.get(id(anchor))
        if known is None:
            known = self._codes[id(anchor)] = (anchor, self._code(task))
        code = known[1]
        if isinstance(code, Unhashable):
            raise code
        return code

    def of_text(self, task: Task) -> str:
        """As `of_code`, also of a task that gets the run's context, which is no part of it: for who compares no more.

        Raises:
            Unhashable: it uses something else that has none.
        """
        try:
            return self.of_code(task)
        except Unhashable:
            if not task._signature.wants_context:
                raise
        known = self._texts.get(id(task))
        if known is None:
            walk = Walk(secret_key=self._secret_key)
            walk.value(task)
            known = self._texts[id(task)] = walk.digest()
        return known

    def _code(self, task: Task) -> str | Unhashable:
        walk = Walk(secret_key=self._secret_key)
        try:
            walk.value(task)
        except Unhashable as error:
            return error
        except RecursionError:
            return Unhashable(f"what task {task.name!r} uses is nested too deeply")
        if task._signature.wants_context:
            return Unhashable(
                f"task {task.name!r} gets the run's context, which is another one in each run: take what you need of it "
                "as an argument, for example a Parameter"
            )
        return walk.digest()


def key_of(code: str, inputs: Mapping[str, str], *, version: str = "", serializer: str = "") -> str:
    """The key of a result: 32 hexadecimal digits.

    >>> key_of("c0de", {"x": "1"}) == key_of("c0de", {"x": "1"}, version="2")
    False

    Args:
        code: the fingerprint of what ran.
        inputs: the fingerprint of each argument.
        version: what the user has declared.
        serializer: how the result is to be written.
    """
    return key_beginning(beginning_of(code, version=version, serializer=serializer), inputs)


def beginning_of(code: str, *, version: str = "", serializer: str = "") -> str:
    """What is written into the keys of all calls of a task, before what each of them is given; see `key_of`."""
    return "".join([f"{len(part)},{part}" for part in (f"notebook_flows {RULES}", code, version, serializer)])


def key_beginning(beginning: str, inputs: Mapping[str, str]) -> str:
    """The key of a call; see `key_of`.

    Args:
        beginning: as `beginning_of` tells it.
        inputs: the fingerprint of each argument.
    """
    written = beginning
    for name in sorted(inputs) if len(inputs) > 1 else inputs:
        one = inputs[name]
        written += f"{len(name)},{name}{len(one)},{one}"
    content = written.encode() if written.isascii() else written.encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=SIZE).hexdigest()


__all__ = [
    "LASTING",
    "RULES",
    "Fingerprints",
    "Unhashable",
    "beginning_of",
    "fingerprint",
    "key_beginning",
    "key_of",
    "named",
]
