"""The picture that `flow.visualize()` returns: it shows itself in notebooks, and can be written to a file."""

from __future__ import annotations

import html
import os
import tempfile
import threading
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.views import svg as svg_of
from notebook_flows.views.diagram import Diagram, diagram_of
from notebook_flows.views.dot import digraph
from notebook_flows.views.layout import PictureError, laid_out, render
from notebook_flows.views.standing import Standings, marks_of, standings_of, state_of, widths_of
from notebook_flows.views.table import counts_of, told_counts
from notebook_flows.views.text import counted, printable
from notebook_flows.views.tree import task_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import graphviz

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.state import State
    from notebook_flows.views.standing import Mark

MOST_NODES = 1_000
"""Larger flows are not laid out: it would take minutes, and no page shows so much."""
MOST_ARROWS = 6_000
MOST_LISTED = 500
"""So many tasks are listed in a notebook where there is no picture of them."""
LARGEST_SAVED = 1_000_000
"""Characters of a picture that a notebook keeps in two forms; of a larger one it keeps one."""
LONGEST_SOURCE_SHOWN = 20_000
_TEXTS = {"dot", "gv"}
_OPAQUE = {"jpg", "jpeg", "gif"}
ENDINGS = {"svg", "png", "pdf", "dot", "gv", "jpg", "jpeg", "gif", "ps", "eps", "webp", "tiff", "bmp"}
"""What is taken for a format at the end of a file name."""


class Picture:
    """A flow, drawn.

    Nothing is laid out before it is needed: making one is cheap, and asking for ``source`` needs no Graphviz.

    Attributes:
        diagram: what is drawn.
        standings: how its tasks stand; None: the picture has no states.
        format: what `save` writes unless told otherwise.
        shown_by: shows it in a notebook that can do more than to display it; whether that could be.
    """

    def __init__(self, diagram: Diagram, standings: Standings | None = None, *, format: str | None = None) -> None:  # noqa: A002 - as in Prefect 1
        self.diagram = diagram
        self.standings = standings
        self.format = format
        self.shown_by: Callable[[], bool] | None = None
        self._layout = _Layout()

    # -- what it is made of --------------------------------------------------------------------------------------------

    @cached_property
    def _marks(self) -> dict[str, Mark]:
        return marks_of(self.diagram, self.standings or {})

    @cached_property
    def _states(self) -> list[S | None]:
        """Of each task; a mapped one's is the gravest of its children's, one that is not drawn has none."""
        known = self.standings or {}
        drawn: dict[int, list[S | None]] = {}
        for node in self.diagram.nodes:
            drawn.setdefault(node.task, []).append(state_of(known.get((node.task, node.child))))
        return [next(iter(counts_of(drawn.get(task, ()))), None) for task in range(len(self.diagram.names))]

    @cached_property
    def digraph(self) -> graphviz.Digraph:
        """The picture as an object of the graphviz package."""
        return digraph(self.diagram, self._marks if self.standings is not None else None)

    @property
    def source(self) -> str:
        """The picture as DOT, the language of Graphviz."""
        return str(self.digraph.source)

    @property
    def layout(self) -> str:
        """The picture as SVG in which no node has a state yet; what live views colour.

        Raises:
            PictureError: Graphviz cannot draw it.
        """
        return self._layout.once(self._laid_out)

    def _laid_out(self) -> str:
        self._check_size()
        return svg_of.tidied(laid_out(digraph(self.diagram, with_room=self.standings is not None).source), self.diagram)

    @property
    def svg(self) -> str:
        """The picture as SVG.

        Raises:
            PictureError: Graphviz cannot draw it.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        return self.layout if self.standings is None else svg_of.coloured(self.layout, self._marks)

    def _check_size(self) -> None:
        nodes, arrows = len(self.diagram.nodes), len(self.diagram.arrows)
        if nodes > MOST_NODES or arrows > MOST_ARROWS:
            raise PictureError(
                f"Flow {printable(self.diagram.name)!r} has {counted(nodes, 'task')} and {arrows:,} edges; pictures are drawn up to "
                f"{MOST_NODES:,} tasks and {MOST_ARROWS:,} edges. `print(picture)` lists the tasks, and `picture.source` is the DOT source."
            )

    def with_standings(self, standings: Standings) -> Picture:
        """The same picture with its tasks in other states. It is not laid out again if it has room for states."""
        other = Picture(self.diagram, standings, format=self.format)
        if self.standings is not None:
            other._layout = self._layout
        return other

    # -- in words ------------------------------------------------------------------------------------------------------

    def text(
        self,
        *,
        width: int = 100,
        encoding: str = "utf-8",
        durations: Mapping[int, float] | None = None,
        most: int | None = None,
    ) -> str:
        """The flow as plain text: a tree of its tasks.

        Args:
            width: columns.
            encoding: of where it is written; what it cannot carry is written in ASCII.
            durations: {task's number: seconds}.
            most: no more tasks than these; the rest is counted.
        """
        known = self.standings or {}
        children = {task: one.children for (task, index), one in known.items() if index == UNMAPPED and one.children}
        diagram = self.diagram
        shown = [task for task in range(len(diagram.names)) if task not in diagram.hidden]
        left = 0 if most is None else max(0, len(shown) - most)
        shown = shown[: len(shown) - left]
        place = {task: number for number, task in enumerate(shown)}
        states = self._states
        tree = task_tree(
            [diagram.names[task] for task in shown],
            [[place[one] for one in diagram.upstream[task] if one in place] for task in shown],
            [states[task] for task in shown] if self.standings is not None else (),
            {place[task]: seconds for task, seconds in (durations or {}).items() if task in place},
            notes={place[task]: told_counts(counts) for task, counts in children.items() if task in place},
            width=width,
            encoding=encoding,
        )
        rest = f"\n... and {counted(left, 'more task')}" if left else ""
        title = self.title if encoding == "utf-8" else _in(encoding, self.title)
        return f"{title}\n{tree}".rstrip() + rest

    @property
    def title(self) -> str:
        """One line for those who do not see the picture."""
        size = len(self.diagram.names) - len(self.diagram.hidden)
        told = f"Flow {printable(self.diagram.name)!r}: {counted(size, 'task')}"
        counts = self._counts
        is_mapped = sum(counts.values()) > size
        told += f", {counted(sum(counts.values()), 'task run')}" if is_mapped else ""
        return f"{told}, {told_counts(counts)}" if counts else told

    @property
    def _counts(self) -> dict[S, int]:
        """How many task runs stand where; a mapped task counts as its children, as in `core.run.tally`."""
        counts: Counter[S] = Counter()
        for task, state in enumerate(self._states):
            own = (self.standings or {}).get((task, UNMAPPED))
            counts.update(own.children if own is not None and own.children else [] if state is None else [state])
        return counts

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Picture of {self.title[0].lower()}{self.title[1:]}>"

    # -- in notebooks --------------------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        if self.shown_by is not None and self.shown_by():
            return
        bundle = self._repr_mimebundle_()
        if "image/svg+xml" in bundle or self._repr_svg_() is None:
            raise NotImplementedError  # IPython goes on with the forms below
        from IPython.display import display

        # else IPython would ask `_repr_svg_` for what is left out
        display(bundle, raw=True)  # type: ignore[no-untyped-call] # IPython has no types

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg
        except PictureError:
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture in the forms that notebooks show and keep. Never raises: what cannot be drawn is told."""
        try:
            svg = self.svg
        except PictureError as error:
            return self._told_bundle(str(error))
        title = html.escape(self.title, quote=True)
        image = f'<img alt="{title}" style="max-width:100%;height:auto" src="{svg_of.as_address(svg)}">'
        shown = {"image/svg+xml": svg, "text/html": image, "text/plain": self.text()}
        if len(svg) + len(image) > LARGEST_SAVED:
            del shown["image/svg+xml"]  # the same, which fewer readers take
        return shown

    def _told_bundle(self, reason: str) -> dict[str, str]:
        is_long = len(self.diagram.nodes) > MOST_NODES  # then not even made, which takes a while
        source = "" if is_long else self.source
        if is_long or len(source) > LONGEST_SOURCE_SHOWN:
            source = "The DOT source is long: see `.source`."
        text = self.text(most=MOST_LISTED)
        details = f"<details><summary>DOT source</summary><pre>{html.escape(source)}</pre></details>"
        return {
            "text/html": f"<p>{html.escape(reason)}</p><pre>{html.escape(text)}</pre>{details}",
            "text/plain": f"{text}\n\n{reason}\n\n{source}",
        }

    # -- in files ------------------------------------------------------------------------------------------------------

    def save(self, filename: str | os.PathLike[str], format: str | None = None) -> Path:  # noqa: A002 - as in Prefect 1
        """Write the picture to a file, which is whole or not there.

        Args:
            filename: the ending is added if it is missing.
            format: "svg", "png", "pdf", "dot"...; told by the ending, else "svg".
        Returns:
            The file.
        Raises:
            PictureError: Graphviz cannot draw it, or not in this format.
            OSError: the file cannot be written.
        """
        path, format_name = _path_and_format(Path(filename), format or self.format)
        content = self.content(format_name)
        if path.exists() and not path.is_file():  # a pipe or a device, which must not give its place to a file
            path.write_bytes(content)
            return path
        target = Path(os.path.realpath(path))
        aside = target.with_name(f".{target.name[:100]}.{os.getpid()}")
        try:
            aside.write_bytes(content)
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return path

    def content(self, format_name: str) -> bytes:
        """The picture in a format.

        Raises:
            PictureError: Graphviz cannot draw it, or not in this format.
        """
        if format_name in _TEXTS:
            return self.source.encode()
        if format_name == "svg":
            return b'<?xml version="1.0" encoding="UTF-8"?>\n' + self.svg.encode()
        self._check_size()
        graph = self.digraph.copy()
        if format_name in _OPAQUE:
            graph.attr(bgcolor="white")
        if format_name in {"png", *_OPAQUE}:
            graph.attr(dpi="144")
        return render(str(graph.source), format_name)

    def view(self) -> Path:
        """Write the picture to a temporary file and open that in the browser."""
        import webbrowser

        path = self.save(Path(tempfile.mkdtemp(prefix="notebook_flows-")) / "flow", "svg")
        webbrowser.open(path.as_uri())
        return path


class _Layout:
    """A picture without states, made once for all pictures that differ in states only, whichever thread asks first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._svg: str | None = None
        self._failure: str | None = None

    def once(self, make: Callable[[], str]) -> str:
        """What was made, or the failure of that, anew."""
        with self._lock:
            if self._failure is not None:
                raise PictureError(self._failure)
            if self._svg is None:
                try:
                    self._svg = make()
                except PictureError as error:
                    self._failure = str(error)
                    raise
            return self._svg


def picture_of(
    flow: Flow,
    *,
    flow_state: State | None = None,
    format: str | None = None,  # noqa: A002 - as in Prefect 1
    horizontal: bool = False,
) -> Picture:
    """A flow's picture, coloured by state where one is given; see `Flow.visualize`.

    Raises:
        FlowError: `flow_state` is no flow's state.
    """
    if flow_state is None:
        return Picture(diagram_of(flow, horizontal=horizontal), format=format)
    standings = standings_of(flow, flow_state)
    return Picture(diagram_of(flow, widths_of(standings), horizontal=horizontal), standings, format=format)


def _path_and_format(path: Path, format_name: str | None) -> tuple[Path, str]:
    """The file with its ending, and the format."""
    ending = path.suffix[1:].lower()
    if format_name is None:
        format_name = ending if ending in ENDINGS else "svg"
    format_name = format_name.lower().removeprefix(".")
    return (path if ending == format_name else path.with_name(f"{path.name}.{format_name}")), format_name


def _in(encoding: str, text: str) -> str:
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "replace").decode("ascii")
