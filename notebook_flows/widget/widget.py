"""The widget: an anywidget whose messages are its own. Nothing of a flow or a run is in its state, which notebooks may save."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anywidget

from notebook_flows.widget import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable

VIEW = "application/vnd.jupyter.widget-view+json"


class FlowWidget(anywidget.AnyWidget):
    """Shows a flow in pages.

    Args:
        hear: called with each message of a page, in whichever thread the kernel has for it.
    """

    _esm = ""
    _css = ""

    def __init__(self, hear: Callable[[dict[str, Any]], None]) -> None:
        script, style = bundle()
        super().__init__(_esm=script, _css=style)
        self._hear = hear
        self.on_msg(self._heard)
        _forget_where_it_was_opened(self.comm)

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, dict):
            self._hear(content)

    @property
    def view(self) -> dict[str, Any]:
        """What an output says to show it."""
        return {"version_major": 2, "version_minor": 0, "model_id": self.model_id}


@lru_cache(maxsize=1)
def bundle() -> tuple[str, str]:
    """The script and the style of the page.

    Raises:
        OSError: it was not built: the package was installed without it.
    """
    return (
        (STATIC / "widget.js").read_text(encoding="utf-8"),
        (STATIC / "widget.css").read_text(encoding="utf-8"),
    )


def _forget_where_it_was_opened(comm: Any) -> None:
    """Let messages of pages go wherever the page sends them.

    ipykernel 7.4 has them wait for the subshell from which the comm was last spoken to, here the main one, which is
    busy for as long as a cell runs; JupyterLab sends them to a subshell that is free.
    """
    vars(comm).pop("_reply_subshell_id", None)
