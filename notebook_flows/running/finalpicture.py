"""The picture of a notebook with task cells, as it stands in the executed notebook."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run


class FinalPicture:
    """The picture of a notebook with task cells; it is laid out while the kernel starts."""

    def __init__(self, flow: Flow) -> None:
        from notebook_flows.notebook.cells import asides
        from notebook_flows.views.diagram import diagram_of
        from notebook_flows.views.picture import Picture

        self._picture = Picture(diagram_of(flow, hidden=asides([task.name for task in flow._into])), {})
        self._thread = threading.Thread(target=self._lay_out, name="notebook-flows-layout", daemon=True)
        self._thread.start()

    def _lay_out(self) -> None:
        from notebook_flows.views.layout import PictureError

        with contextlib.suppress(PictureError):  # told in place of the picture
            _ = self._picture.layout

    def bundle(self, run: Run, messages: Mapping[tuple[int, int], str]) -> Mapping[str, str]:
        """The picture of how the run stands, in the forms that notebooks show.

        Args:
            run: of the notebook.
            messages: {(cell, index): what it has said}.
        """
        from notebook_flows.views.standing import standings_of_run, with_messages

        self._thread.join()
        standings = with_messages(standings_of_run(run), messages)
        return self._picture.with_standings(standings)._repr_mimebundle_()
