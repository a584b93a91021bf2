"""The engine behind ``papermill --engine notebook_flows in.ipynb out.ipynb``.

Papermill imports this module while it is imported itself, for every user in the environment: so nothing is imported
here, and the class comes into being when somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    FlowsEngine: Any


def __getattr__(name: str) -> Any:
    if name != "FlowsEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _engine_class()
    return globals().setdefault("FlowsEngine", made)  # importing papermill may have come here in between


def _engine_class() -> Any:
    from papermill.engines import Engine

    class FlowsEngine(Engine):  # type: ignore[misc] # papermill has no types
        """Runs the notebook as a flow of its cells: states that are true, a history, and saving in linear time."""

        @classmethod
        def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
            """As papermill's, but what it writes at the end is true."""
            bridge: list[Any] = []
            try:
                return super().execute_notebook(nb, kernel_name, output_path=output_path, bridge=bridge, **options)
            finally:
                for one in bridge:
                    one.repair()

        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, *, bridge: list[Any] | None = None, **options: Any
        ) -> None:
            """Run the cells.

            Raises:
                nbclient.exceptions.DeadKernelError: the kernel died; papermill's command ends with 138 then.
                nbclient.exceptions.CellTimeoutError: a cell took longer than ``execution_timeout``.
            """
            from notebook_flows.notebook.papermill import Bridge
            from notebook_flows.running import run_document

            one = Bridge(nb_man, kernel_name, options)
            if bridge is not None:
                bridge.append(one)
            run = None
            try:
                run = run_document(one.document, **one.arguments())
            finally:
                one.settle(run)
            one.raise_for(run)

        @classmethod
        def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
            """The kernel's name; a notebook that names none is Python's."""
            return name or nb.metadata.get("kernelspec", {}).get("name") or "python3"

        @classmethod
        def nb_language(cls, nb: Any, language: str | None = None) -> str:
            """The language; a notebook that names none is written in Python."""
            known = language or nb.metadata.get("language_info", {}).get("name")
            return known or nb.metadata.get("kernelspec", {}).get("language") or "python"

    return FlowsEngine
