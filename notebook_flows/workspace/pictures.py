"""What `flow.visualize()` does: the flow's picture, and a file of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_flows.core import state as api
    from notebook_flows.core.flow import Flow
    from notebook_flows.views.picture import Picture


def draw_flow(
    flow: Flow,
    *,
    flow_state: api.State | None = None,
    filename: str | None = None,
    format: str | None = None,  # noqa: A002 - as in Prefect 1
    horizontal: bool = False,
) -> Picture:
    """A flow's picture, written to a file if one is named; see `Flow.visualize`.

    A picture that Graphviz cannot draw is no reason to stop: a warning says so, and the DOT source is written instead.
    """
    from notebook_flows.views.layout import PictureError
    from notebook_flows.views.picture import picture_of

    picture = picture_of(flow, flow_state=flow_state, format=format, horizontal=horizontal)
    if filename is not None:
        try:
            picture.save(filename)
        except PictureError as error:
            instead = picture.save(filename, "dot")
            warnings.warn(f"{error} Its DOT source is in {instead} instead.", stacklevel=4)
    return picture
