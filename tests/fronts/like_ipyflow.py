"""An extension that does to IPython what ipyflow 0.0.231 does, as far as it comes near us; ipyflow brings too much along."""

from __future__ import annotations

import sys
from typing import Any


class Tee:
    """Stands before the publisher for one cell, and keeps a copy."""

    def __init__(self, pub1: Any) -> None:
        self.pub1 = pub1
        self.copies: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pub1, name)

    def publish(self, *args: Any, **more: Any) -> None:
        self.pub1.publish(*args, **more)
        self.copies.append((args, more))


class Streams:
    """Both streams, as they were."""

    def __init__(self) -> None:
        self.sys_stdout, self.sys_stderr = sys.stdout, sys.stderr


class StreamProxy:
    """Stands before a stream from the first cell on; it has no method of its own."""

    def __init__(self, streams: Streams, name: str) -> None:
        vars(self).update(_capture_output_tee=streams, _name=name)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._capture_output_tee, f"sys_{self._name}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(getattr(self._capture_output_tee, f"sys_{self._name}"), name, value)


def load_ipython_extension(shell: Any) -> None:
    class Shell(type(shell)):
        async def run_cell_async(self, raw_cell: str, **more: Any) -> Any:
            before = self.input_transformers_post, self.ast_transformers, self.display_pub
            self.input_transformers_post = [*before[0], lambda lines: lines]
            self.ast_transformers = list(before[1])
            self.display_pub = Tee(before[2])
            try:
                return await super().run_cell_async(raw_cell, **more)
            finally:
                self.input_transformers_post, self.ast_transformers, self.display_pub = before

    shell.__class__ = Shell
    streams = Streams()
    sys.stdout, sys.stderr = StreamProxy(streams, "stdout"), StreamProxy(streams, "stderr")
    shell.register_magic_function(lambda line: print("theirs"), "line", "flow")
