"""A picture with fewer characters that looks the same: notebooks keep it, twice, and pages are sent it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMERIC = ("d", "points", "x", "y", "cx", "cy", "rx", "ry", "font-size")
_HOISTED = ("font-family", "font-size", "text-anchor")
_NEAR = 0.1
_POINTS_OF_A_ROUNDED_BOX = 25


def make_compact(root: ET.Element) -> None:
    """Change a picture that Graphviz has made, in place.

    Rounded boxes become ``<rect>``, points have one digit after theirs, what most texts have alike stands once above them,
    and each node and each edge is one line.
    """
    graph = root.find("g")
    if graph is None:
        return
    for shape in graph.iter():
        if shape.tag == "path":
            _as_box(shape)
        elif shape.tag == "polygon":
            _open(shape)
        for name in _NUMERIC:
            if name in shape.attrib:
                shape.set(name, _NUMBER.sub(lambda found: _short(float(found[0])), shape.attrib[name]))
    for name in _HOISTED:
        _hoist(graph, list(graph.iter("text")), name)
    for group in graph.iter("g"):
        group.text = None if group is not graph else group.text
        for part in group:
            part.tail = "\n" if group is graph else None
        if "edge" in group.get("class", "").split():
            _hoist_colour(group)


def _short(number: float) -> str:
    """With one digit after its point, if any.

    >>> _short(-12.96), _short(10.0), _short(-0.04)
    ('-13', '10', '0')
    """
    told = f"{number:.1f}".removesuffix(".0")
    return "0" if told == "-0" else told


def _as_box(path: ET.Element) -> None:
    """A box with round corners, of which Graphviz makes eight curves."""
    numbers = [float(one) for one in _NUMBER.findall(path.get("d", ""))]
    xs, ys = numbers[::2], numbers[1::2]
    if len(xs) != _POINTS_OF_A_ROUNDED_BOX or len(ys) != _POINTS_OF_A_ROUNDED_BOX:
        return
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    radius = right - xs[0]
    if not (_are_on(xs, left, right, radius) and _are_on(ys, top, bottom, radius)):
        return
    path.tag = "rect"
    del path.attrib["d"]
    box = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rx": radius}
    path.attrib.update({name: _short(number) for name, number in box.items()})


def _are_on(places: list[float], low: float, high: float, radius: float) -> bool:
    """Whether all lie on the sides, where the corners begin, or halfway between."""
    lines = [low + radius * part for part in (0, 0.5, 1)] + [high - radius * part for part in (0, 0.5, 1)]
    return all(any(abs(place - line) < _NEAR for line in lines) for place in places)


def _open(polygon: ET.Element) -> None:
    """The last point need not be told: it is the first."""
    points = polygon.get("points", "").split()
    if len(points) > 1 and points[0] == points[-1]:
        polygon.set("points", " ".join(points[:-1]))


def _hoist(group: ET.Element, elements: list[ET.Element], name: str) -> None:
    """What most of them have alike stands at the group."""
    values = Counter(one.get(name) for one in elements)
    if not values or None in values:
        return
    common = str(values.most_common(1)[0][0])
    group.set(name, common)
    for one in elements:
        if one.get(name) == common:
            del one.attrib[name]


def _hoist_colour(edge: ET.Element) -> None:
    """A line, its point and its label have one colour."""
    colours = {part.get("stroke") for part in edge if part.tag in {"path", "polygon"}}
    colours |= {part.get("fill") for part in edge if part.tag in {"text", "polygon"}}
    if len(colours) != 1 or None in colours:
        return
    colour = str(colours.pop())
    edge.attrib.update(stroke=colour, fill=colour)
    for part in edge:
        if part.tag == "text":
            part.set("stroke", "none")
        part.attrib.pop("stroke" if part.tag != "text" else "fill", None)
        if part.tag == "polygon":
            part.attrib.pop("fill", None)
