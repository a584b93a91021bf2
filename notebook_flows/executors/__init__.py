"""Where attempts run: the caller's thread, other threads, other processes. Each is imported when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.errors import UnknownExecutor, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.ports import Executor
    from notebook_flows.executors.local import LocalExecutor
    from notebook_flows.executors.processes import ProcessExecutor
    from notebook_flows.executors.threads import ThreadExecutor

__all__ = ["LocalExecutor", "ProcessExecutor", "ThreadExecutor", "from_name"]

_MODULE_OF = {"LocalExecutor": "local", "ThreadExecutor": "threads", "ProcessExecutor": "processes"}
_CLASS_OF = {module: name for name, module in _MODULE_OF.items()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def from_name(name: str) -> Executor:
    """The executor that people name on a command line: ``local``, ``threads``, ``threads:8``, ``processes:4``.

    Raises:
        UnknownExecutor: nothing has this name, or the number of workers is none.

    >>> from_name("threads:8").name
    'threads(8)'
    >>> from_name("proceses")
    Traceback (most recent call last):
        ...
    notebook_flows.errors.UnknownExecutor: No executor is named 'proceses'. Did you mean 'processes'?
    """
    word, colon, count = name.strip().partition(":")
    if word not in _CLASS_OF:
        known = "" if (slip := did_you_mean(word, _CLASS_OF)) else " There are local, threads, processes."
        raise UnknownExecutor(name, f"No executor is named {word!r}.{slip}{known}")
    make: Callable[..., Executor] = __getattr__(_CLASS_OF[word])
    if not colon:
        return make()
    if word == "local":
        raise UnknownExecutor(
            name, f"{name!r}: local runs one task at a time; for {count} workers say 'threads:{count}'."
        )
    if not (count.isascii() and count.isdigit() and int(count) > 0):
        raise UnknownExecutor(
            name, f"{name!r}: after the colon stands a number of workers, 1 or more, as in '{word}:4'."
        )
    return make(int(count))
