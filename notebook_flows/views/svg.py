"""SVG that Graphviz has laid out: made safe and plain once, then coloured by state as often as need be."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from notebook_flows.views.compactsvg import make_compact
from notebook_flows.views.text import printable
from notebook_flows.views.theme import (
    BADGE_FILL,
    BADGE_INK,
    BADGE_POINTS,
    BADGE_RADIUS,
    FONT,
    STATE_POINTS,
    class_of,
    dashes_of,
    look_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.views.diagram import Diagram, Node
    from notebook_flows.views.standing import Mark

SVG = "http://www.w3.org/2000/svg"
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
_SHAPES = {"path", "polygon", "polyline", "ellipse", "rect"}


def tidied(raw: str, diagram: Diagram) -> str:
    """What pages and programs can rely on, from what Graphviz wrote.

    Nodes are ``<g class="node KIND state-none" id="node-3">`` with a title (a tooltip), shapes of the classes
    ``shape`` (filled), ``border`` and, round a mapped task, ``frame``; a text of the class ``name`` and, if there is
    room for it, one of the class ``state``, empty. No links, no scripts, no document type.

    Args:
        raw: Graphviz's SVG.
        diagram: that was laid out.
    """
    root = _parsed(raw)
    root.set("class", "nbflow")
    root.set("role", "img")
    nodes = {node.id: node for node in diagram.nodes}
    arrows = {diagram.id_of(arrow): arrow for arrow in diagram.arrows}
    for group in root.iter("g"):
        _without_links(group)
        found = group.get("id", "")
        kind = group.get("class", "").split()[:1]
        if found in nodes:
            group.set("class", f"node {nodes[found].kind} {class_of(None)}")
            _tidy_node(group, nodes[found])
        elif kind == ["graph"]:
            _remove(group, "title")  # else it pops up wherever the mouse rests
        elif found in arrows:
            start, end, label, _ = arrows[found]
            told = f"{diagram.nodes[start].name} → {diagram.nodes[end].name}"
            _set_title(group, f"{told} ({label})" if label else told)
    make_compact(root)
    return _written(root)


def _parsed(svg: str) -> ET.Element:
    """The tree of elements, by their plain names: prefixes for all of Python's XML would have to be set globally."""
    root = ET.fromstring(svg)  # noqa: S314 - made by Graphviz in our own process, from text that we have escaped
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        element.attrib.pop("{http://www.w3.org/XML/1998/namespace}space", None)
    return root


def _written(root: ET.Element) -> str:
    root.set("xmlns", SVG)
    return ET.tostring(root, encoding="unicode")


def _tidy_node(group: ET.Element, node: Node) -> None:
    _set_title(group, node.name)
    for shape in group:
        if shape.tag in _SHAPES:
            is_area = shape.get("fill") != "none"
            shape.set("class", "shape border" if is_area else "frame" if node.kind == "mapped" else "border")
    texts = list(group.iter("text"))
    for place, text in enumerate(texts):
        text.set("class", "state" if place else "name")
        if place:
            text.text = ""
            text.set("font-size", f"{STATE_POINTS}")
        else:
            text.text = node.label


def _without_links(group: ET.Element) -> None:
    """Graphviz wraps what has a tooltip in <g><a>...</a></g>: only the inside is kept."""
    for wrapper in list(group):
        link = wrapper.find("a") if wrapper.tag == "g" and wrapper.get("id", "").startswith("a_") else None
        if link is not None:
            at = list(group).index(wrapper)
            group.remove(wrapper)
            for offset, inner in enumerate(list(link)):
                group.insert(at + offset, inner)


def _remove(group: ET.Element, tag: str) -> None:
    for found in group.findall(tag):
        group.remove(found)


def _set_title(group: ET.Element, text: str) -> None:
    title = group.find("title")
    if title is None:
        title = ET.Element("title")
        group.insert(0, title)
    title.text = printable(text)


_CODES = str.maketrans({sign: f"%{ord(sign):02X}" for sign in '%#<>&"\\^`{|}'} | {"\n": None})
_TAG = re.compile(r"<[^>]*>")


def as_address(svg: str) -> str:
    """A picture as the address of an ``<img>``, which can stand between double quotes.

    Only what has to be is written as codes: base64 would be a quarter longer, and a change of one task a change of all.
    """
    single = _TAG.sub(lambda tag: tag[0].replace("'", "&#39;").replace('"', "'"), svg)
    return f"data:image/svg+xml,{single.translate(_CODES)}"


def coloured(svg: str, marks: Mapping[str, Mark]) -> str:
    """A tidied SVG with each node as its state has it: class, colours, border, line and tooltip.

    Nothing moves: there is no second layout. Colours are set on the elements themselves, for readers without CSS.

    Args:
        svg: from `tidied`, or from here.
        marks: {node's id: what is seen of its state}; nodes that it does not name stay as they are.
    """
    root = _parsed(svg)
    for group in root.iter("g"):
        mark = marks.get(group.get("id", ""))
        if mark is not None:
            _colour(group, mark)
    return _written(root)


def _badge(group: ET.Element, mark: Mark) -> None:
    """A small circle at the node's corner, with the number of artifacts; it takes no room in the layout."""
    for old in group.findall("g[@class='attached']"):
        group.remove(old)
    corner = _corner_of(group) if mark.attached_count else None
    if corner is None:
        return
    x, y = (f"{one:.2f}" for one in corner)
    badge = ET.SubElement(group, "g", {"class": "attached"})
    ET.SubElement(badge, "title").text = mark.attached
    look = {"fill": BADGE_FILL, "stroke": BADGE_INK, "stroke-width": "0.75"}
    ET.SubElement(badge, "circle", {"cx": x, "cy": y, "r": f"{BADGE_RADIUS}", **look})
    number = ET.SubElement(badge, "text", {"x": x, "y": f"{corner[1] + BADGE_POINTS * 0.35:.2f}", "fill": BADGE_INK})
    number.attrib.update({"text-anchor": "middle", "font-family": FONT, "font-size": f"{BADGE_POINTS}"})
    number.text = str(mark.attached_count) if mark.attached_count < 100 else "99+"


def _corner_of(group: ET.Element) -> tuple[float, float] | None:
    """The upper right corner of a node's area; None: it has none."""
    for part in group:
        if part.tag in _SHAPES and "shape" in part.get("class", ""):
            found = [float(one) for one in _NUMBERS.findall(part.get("d") or part.get("points") or "")]
            if len(found) >= 4:
                return max(found[::2]) - BADGE_RADIUS / 2, min(found[1::2]) + BADGE_RADIUS / 4
            if part.tag == "ellipse":
                x, y, width, height = (float(part.get(name, "0")) for name in ("cx", "cy", "rx", "ry"))
                return x + width * 0.7, y - height * 0.7
            if part.tag == "rect":
                x, y, width = (float(part.get(name, "0")) for name in ("x", "y", "width"))
                return x + width - BADGE_RADIUS / 2, y + BADGE_RADIUS / 4
    return None


def _colour(group: ET.Element, mark: Mark) -> None:
    look, dashes = look_of(mark.state), dashes_of(look_of(mark.state))
    kind = group.get("class", "node task").split()[1]
    group.set("class", f"node {kind} {class_of(mark.state)}")
    _set_title(group, mark.tooltip)
    _badge(group, mark)
    for part in group:
        if part.tag == "text":
            part.set("fill", look.ink)
            if part.get("class") == "state":
                part.text = mark.line
        elif part.tag in _SHAPES and part.get("class") != "frame":
            if "shape" in part.get("class", ""):
                part.set("fill", look.fill)
            part.set("stroke", look.border)
            part.set("stroke-width", f"{look.points:g}")
            part.attrib.pop("stroke-dasharray", None)
            if dashes:
                part.set("stroke-dasharray", dashes)
