"""A diagram as DOT, the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.pieces import is_long_row
from notebook_flows.views.standing import Mark
from notebook_flows.views.text import printable
from notebook_flows.views.theme import FONT, LINE, NAME_POINTS, PLAIN, class_of, look_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import graphviz

    from notebook_flows.views.diagram import Diagram, Kind, Node

ROOM = max((f"{facts_of(state).glyph} {facts_of(state).word}" for state in S), key=len)
"""The longest line that a state may need: a layout leaves room for it, and never has to be done again."""
ROOM_FOR_COUNTS = "✗ 00000  ▶ 00000  ✓ 00000"
LARGE = 200
"""With more nodes than this arrows have no labels, which double the layers, and the layout is quicker than fine."""
VERY_LARGE = 500
"""With more nodes than this edges are straight lines."""

_SHAPES: dict[Kind, dict[str, str]] = {
    "task": {"shape": "box", "style": "rounded,filled"},
    "mapped": {"shape": "box", "style": "filled", "peripheries": "2"},
    "parameter": {"shape": "ellipse", "style": "filled", "margin": "0.02,0.02"},
    "constant": {"shape": "note", "style": "filled"},
    "made": {"shape": "box", "style": "filled", "margin": "0.08,0.02"},
}


def digraph(diagram: Diagram, marks: Mapping[str, Mark] | None = None, *, with_room: bool = False) -> graphviz.Digraph:
    """The diagram, for Graphviz.

    Args:
        diagram: what to draw.
        marks: {node's id: what is seen of its state}, to be drawn; none: no states.
        with_room: leave room for a state below each name, to be filled in after the layout.
    """
    import graphviz

    graph = graphviz.Digraph(
        name=_text(_escaped(printable(diagram.name))),
        graph_attr={
            "bgcolor": "transparent",
            "rankdir": "LR" if diagram.is_horizontal else "TB",
            "fontname": FONT,
            "nodesep": "0.3",
            "ranksep": "0.4",
            "pad": "0.1",
        },
        node_attr={
            "fontname": FONT,
            "fontsize": str(NAME_POINTS),
            "fillcolor": PLAIN.fill,
            "fontcolor": PLAIN.ink,
            "color": PLAIN.border,
            "margin": "0.14,0.07",
            "height": "0.3",
            "width": "0.5",
        },
        edge_attr={
            "fontname": FONT,
            "fontsize": "8",
            "fontcolor": LINE,
            "color": LINE,
            "arrowsize": "0.7",
        },
    )
    is_large = len(diagram.nodes) > LARGE
    if is_large:
        graph.attr(nslimit="1", nslimit1="1", mclimit="0.1")
    if len(diagram.nodes) > VERY_LARGE:
        graph.attr(splines="line")
    if is_long_row(len(diagram.nodes), [(arrow.start, arrow.end) for arrow in diagram.arrows]):
        graph.attr(pack="12", packmode="array_")  # its pieces, in rows below each other
    for node in diagram.nodes:
        graph.node(node.id, **_node_attributes(node, marks, with_room))
    for arrow in diagram.arrows:
        start, end = diagram.nodes[arrow.start].id, diagram.nodes[arrow.end].id
        attributes = {"id": diagram.id_of(arrow), "style": "dashed", "class": "mapped"}
        if not arrow.is_mapped:
            del attributes["style"], attributes["class"]
        if arrow.label and not is_large:
            attributes["label"] = _text(_escaped(f" {arrow.label} "))
        graph.edge(start, end, **attributes)
    return graph


def _node_attributes(node: Node, marks: Mapping[str, Mark] | None, with_room: bool) -> dict[str, str]:
    mark = (marks or {}).get(node.id, Mark(None, "", printable(node.name)))
    look = look_of(mark.state)
    shape = dict(_SHAPES[node.kind])
    if marks is not None and mark.state is not None:
        shape["style"] += f",{look.dash}" if look.dash != "solid" else ""
        shape.update(fillcolor=look.fill, fontcolor=look.ink, color=look.border, penwidth=f"{look.points:g}")
    line = mark.line
    if with_room:
        line = ROOM_FOR_COUNTS if node.kind == "mapped" and node.child < 0 else ROOM
    elif marks is not None and not line:
        line = " "
    return {
        "id": node.id,
        "class": f"{node.kind} {class_of(mark.state)}",
        "label": _text(_escaped(node.label) + (rf"\n{_escaped(line)}" if line else "")),
        "tooltip": _text(_escaped(mark.tooltip)),
        **shape,
    }


def _escaped(text: str) -> str:
    """Text of which Graphviz takes no part for an escape or an entity."""
    return text.replace("&", "&amp;").replace("\\", "\\\\")


def _text(escaped: str) -> str:
    """Text that the graphviz package does not take for markup, even between < and >."""
    import graphviz

    return cast("str", graphviz.nohtml(escaped))
