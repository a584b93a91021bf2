"""Kernels for many runs: each run gets a fresh one, which costs a seventh of the CPU time of one started from nothing."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from jupyter_client.manager import AsyncKernelManager


class KernelPool:
    """Where the kernels of many runs come from; any number of threads may use it.

    Kernels of ipykernel are forked, on Linux, from a process that has imported what they need and has run nothing; so
    none ever sees what another run has left. All others are started in the ordinary way.

    >>> with KernelPool() as pool:  # doctest: +SKIP
    ...     for path in paths:
    ...         run_notebook(path, pool=pool)
    """

    def __init__(self) -> None:
        from notebook_flows.notebook.forking import Zygotes

        self._zygotes = Zygotes()

    def warm(self, kernel: str = "python3") -> None:
        """Begin now with what takes long, so that the first run need not wait for it; returns at once."""
        threading.Thread(target=self._warm, args=(kernel,), name="notebook-flows-warming", daemon=True).start()

    def _warm(self, kernel: str) -> None:
        from jupyter_client.manager import AsyncKernelManager

        from notebook_flows.notebook.forking import ForkError, _launcher_in

        manager = AsyncKernelManager(kernel_name=kernel)
        command = manager.format_kernel_cmd()
        place = _launcher_in(command)
        if place is None or self._zygotes.provisioner_for(manager) is None:
            return
        try:
            self._zygotes.zygote(command[:place], os.environ)
        except ForkError:
            return  # its kernels are started in the ordinary way

    def provide(self, manager: AsyncKernelManager) -> None:
        """Let the manager start its kernel from here, if it can."""
        found: Any = self._zygotes.provisioner_for(manager)
        if found is not None:
            manager.provisioner = found

    def close(self) -> None:
        """End all that it has started, kernels too."""
        self._zygotes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
