"""What the tasks of a run have attached, at the end of its page: with all that is small enough to be in it."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from notebook_flows.cli.artifacts_command import mark_of, shown, who
from notebook_flows.cli.history import SHORT_ID, graph_of
from notebook_flows.errors import FlowError, NoSuchRun
from notebook_flows.views.text import printable

if TYPE_CHECKING:
    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import ArtifactRow

MOST_ARTIFACTS = 200
LARGEST_BYTES = 5_000_000
"""Of one artifact; what is larger is named only."""
MOST_BYTES = 20_000_000
"""Of all of them in one page."""
_STYLE = (
    "<style>.nbf-artifacts{max-width:60rem;margin:2rem 0;padding:0 1rem;font-family:system-ui,sans-serif}"
    ".nbf-artifacts section{margin:1.5rem 0;overflow-x:auto}.nbf-artifacts table{border-collapse:collapse}"
    ".nbf-artifacts td,.nbf-artifacts th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left}"
    ".nbf-artifacts h3{font-size:1rem;font-weight:400;color:#555;margin:0 0 .25rem}</style>"
)


def with_artifacts(page: str, run_id: str) -> str:
    """A page, with what its run has attached behind all else; the page itself where that is nothing.

    Raises:
        FlowError: the history cannot be read.
    """
    from notebook_flows.workspace import event_log

    section = section_of(event_log(), run_id)
    if not section:
        return page
    before, end, after = page.rpartition("</body>")  # the page's own: what cells have shown comes before
    return f"{before}{section}{end}{after}" if end else f"{page}{section}"


def section_of(log: AnyLog, run_id: str) -> str:
    """The artifacts of a run as HTML; empty: there are none."""
    from notebook_flows.workspace.earlier import artifacts_of

    try:
        found = artifacts_of(log, run_id)
        names = graph_of(log, run_id)["names"]
    except NoSuchRun:  # no history is kept
        return ""
    if not found:
        return ""
    room, parts = MOST_BYTES, []
    for one in found[:MOST_ARTIFACTS]:
        fits = one.size_bytes <= min(LARGEST_BYTES, room)
        room -= one.size_bytes if fits else 0
        head = printable(f"{who(one, names)}: {one.kind} {one.key!r}{mark_of(one)}")
        body = _body(log, one) if fits else _elsewhere(one, run_id)
        parts.append(f"<section><h3>{html.escape(head)}</h3>{body}</section>")
    if len(found) > MOST_ARTIFACTS:
        parts.append(f"<p>{len(found) - MOST_ARTIFACTS} more: {_command(run_id)}</p>")
    return f'{_STYLE}<div class="nbf-artifacts"><h2>Artifacts</h2>{"".join(parts)}</div>'


def _body(log: AnyLog, one: ArtifactRow) -> str:
    try:
        found = shown(log, one)
        text = str(found.bundle()["text/html"])
    except (FlowError, ValueError, KeyError) as error:  # its content is gone, or damaged; the others are to be seen
        return f"<p>{html.escape(printable(f'{one.summary}. It cannot be shown: {error}'))}</p>"
    if one.kind != "file":
        return text
    name = html.escape(printable(one.file_name or one.key), quote=True)
    data = base64.b64encode(found.content).decode()  # of no type that a browser would open by itself
    return f'{text}<p><a download="{name}" href="data:application/octet-stream;base64,{data}">{name}</a></p>'


def _elsewhere(one: ArtifactRow, run_id: str) -> str:
    title = f"<strong>{html.escape(printable(one.title))}</strong> " if one.title else ""
    return f"<p>{title}{html.escape(one.summary)}, too large for this page: {_command(run_id)}</p>"


def _command(run_id: str) -> str:
    return f"<code>notebook-flows artifacts {html.escape(run_id[:SHORT_ID])} --save FOLDER</code>"
