"""DOT: what is in it, and that no name can change it."""

import re
from xml.etree import ElementTree as ET

import pygraphviz
import pytest
from hypothesis import given, settings, strategies as st
from pictured import HOSTILE, clean, flow_of, load, mapped_flow, report

from notebook_flows import Flow, Parameter, Task, flatten
from notebook_flows.core.conditional import case
from notebook_flows.core.graph import Graph, Input
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import Plan, graph_as_json, planned
from notebook_flows.core.validation import compiled
from notebook_flows.views.diagram import LONGEST_NAME, MOST_CHILDREN, diagram_from_json, diagram_of
from notebook_flows.views.dot import digraph
from notebook_flows.views.layout import laid_out
from notebook_flows.views.standing import Standing, marks_of
from notebook_flows.views.svg import tidied
from notebook_flows.views.text import columns_of, printable


def read_back(source):
    graph = pygraphviz.AGraph(string=source)
    nodes = {node: dict(graph.get_node(node).attr) for node in graph.nodes()}
    edges = [(*edge, dict(graph.get_edge(*edge).attr)) for edge in graph.edges()]
    graph.close()
    return nodes, edges


def elements(within, tag):
    return list(within.iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def small_flow():
    with Flow("small") as flow:
        day = Parameter("day", default="today")
        report(clean.map(load(day)), day)
    return flow


def test_nodes_stand_in_the_order_of_definition_with_their_number_as_id():
    nodes, _ = read_back(digraph(diagram_of(flow_of("cab"))).source)

    assert [(node["id"], node["label"]) for node in nodes.values()] == [
        ("node-0", "c"),
        ("node-1", "a"),
        ("node-2", "b"),
    ]


def test_each_kind_of_task_has_a_shape_of_its_own():
    with small_flow() as flow:
        report([load(1), load(2)])
        clean.map([1, 2])

    nodes, _ = read_back(digraph(diagram_of(flow)).source)

    shapes = {node["label"]: (node["shape"], node["style"], node.get("peripheries")) for node in nodes.values()}
    assert len({shapes[label] for label in ("load", "day", "clean <map>", "List", "list")}) == 5


def test_arrows_carry_the_arguments_and_mapped_ones_are_dashed():
    _, edges = read_back(digraph(diagram_of(small_flow())).source)

    told = {(a, b): (edge.get("label", "").strip(), edge.get("style")) for a, b, edge in edges}
    assert sorted(told.values(), key=str) == [("day", None), ("day", None), ("values", None), ("x", "dashed")]


def test_several_edges_between_two_tasks_are_one_arrow():
    with Flow("twice") as flow:
        value = load(1)
        report(value, value)

    (arrow,) = diagram_of(flow).arrows

    assert arrow.label == "values, day"


def test_the_class_of_a_node_is_the_word_of_its_state():
    diagram = diagram_of(flow_of("ab"))

    source = digraph(diagram, marks_of(diagram, {(1, -1): Standing(S.UPSTREAM_FAILED, message="after a")})).source

    nodes, _ = read_back(source)
    assert [node["class"] for node in nodes.values()] == ["task state-none", "task state-upstream-failed"]
    assert nodes["node-1"]["tooltip"] == "b: upstream failed. after a"
    assert nodes["node-1"]["label"] == r"b\n⊘ upstream failed"


def test_ten_thousand_children_stay_one_node_with_their_counts():
    diagram = diagram_of(mapped_flow(), {2: 10_000})
    counts = {S.FAILED: 3, S.RUNNING: 7, S.SUCCESS: 9_990}

    marks = marks_of(diagram, {(2, -1): Standing(S.EXPANDED, counts)})

    assert len(diagram.nodes) == 4
    assert marks["node-2"].state is S.FAILED
    assert marks["node-2"].line.split() == ["✗", "3", "▶", "7", "✓", "9990"]
    assert marks["node-2"].tooltip == "clean: 3 failed, 7 running, 9,990 success"


def test_a_few_children_are_drawn_one_by_one():
    diagram = diagram_of(mapped_flow(), {2: 3})

    names = [diagram.nodes[place].id for place in range(len(diagram.nodes))]
    assert names == ["node-0", "node-1", "node-2-0", "node-2-1", "node-2-2", "node-3"]
    assert sum(arrow.end == 5 for arrow in diagram.arrows) == 3  # the report waits for each child


def test_children_of_children_are_joined_one_by_one():
    with Flow("lanes") as flow:
        clean.map(clean.map(load(1)))

    diagram = diagram_of(flow, {1: 3, 2: 3})

    joined = [(diagram.nodes[a.start].id, diagram.nodes[a.end].id) for a in diagram.arrows if a.start > 0]
    assert joined == [(f"node-1-{n}", f"node-2-{n}") for n in range(3)]


def test_flattened_children_may_come_from_any_child():
    with Flow("flat") as flow:
        clean.map(flatten(clean.map(load(1))))

    diagram = diagram_of(flow, {1: 2, 2: 2})

    assert sum(arrow.start > 0 for arrow in diagram.arrows) == 4


@pytest.mark.parametrize("width", [0, MOST_CHILDREN + 1])
def test_no_children_or_many_are_one_node(width):
    assert len(diagram_of(mapped_flow(), {2: width}).nodes) == 4


def test_a_large_picture_draws_no_children():
    with Flow("large") as flow:
        for _ in range(30):
            clean.map(load(1))

    diagram = diagram_of(flow, dict.fromkeys(range(1, 60, 2), MOST_CHILDREN))

    assert len(diagram.nodes) == 60


def test_a_flow_with_a_cycle_can_be_drawn():
    flow = flow_of("ab")
    first, second = flow.tasks
    flow.add_edge(second, first)

    assert len(diagram_of(flow).arrows) == 2


def test_a_recorded_graph_gives_the_same_picture():
    flow = mapped_flow()
    graph = compiled(flow)
    plan = planned(flow, graph, list(flow.tasks), presets={}, resumed=frozenset())
    known = graph_as_json(graph, plan.names, list(flow.slugs.values()), plan)

    recorded, drawn = diagram_from_json("nightly", known), diagram_of(flow)

    assert recorded.arrows == drawn.arrows
    assert [(node.id, node.label) for node in recorded.nodes] == [(node.id, node.label) for node in drawn.nodes]


def test_cases_and_merges_are_tasks_as_others():
    with Flow("branches") as flow, case(load(1), True):
        load(2)

    assert {node.kind for node in diagram_of(flow).nodes} == {"task"}


NAMES = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(names=NAMES, flow_name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)), key=st.sampled_from(HOSTILE))
def test_any_name_in_a_history_is_only_text(names, flow_name, key):
    inputs = [[], *([Input(0, key, number % 2 > 0, False)] for number in range(1, len(names)))]
    graph = Graph(inputs=inputs, downstream=[range(1, len(names)), *([] for _ in names[1:])])
    diagram = diagram_from_json(flow_name, graph_as_json(graph, names, names, Plan(graph=graph)))

    svg = tidied(laid_out(digraph(diagram).source), diagram)

    root = ET.fromstring(svg)
    groups = [group for group in elements(root, "g") if group.get("class", "").startswith("node")]
    assert [group.get("id") for group in groups] == [f"node-{number}" for number in range(len(names))]
    assert [[text.text for text in elements(group, "text")] for group in groups] == [
        [node.label] for node in diagram.nodes
    ]
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "g", "title", "text", "path", "polygon", "polyline", "ellipse", "rect",
    }  # fmt: skip
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]


@settings(max_examples=100, deadline=None)
@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)))
def test_graphviz_itself_reads_the_label_as_it_was_meant(name):
    diagram = diagram_of(flow_of([name]))

    raw = laid_out(digraph(diagram).source)

    (text,) = elements(ET.fromstring(raw), "text")
    assert text.text.replace("\xa0", " ") == diagram.nodes[0].label


@given(text=st.text())
def test_what_is_printable_is_one_line_without_surprises(text):
    line = printable(text)

    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", line)
    assert printable(line) == line
    line.encode()


def test_a_very_long_name_is_shortened_and_told_in_full_on_demand():
    (node,) = diagram_of(flow_of(["x" * 100])).nodes

    assert columns_of(node.label) == LONGEST_NAME
    assert node.label.endswith("x…")
    assert marks_of(diagram_of(flow_of(["x" * 100])), {})["node-0"].tooltip == "x" * 100


def test_a_task_without_any_visible_name_can_be_pointed_at():
    assert diagram_of(flow_of(["\x00", " "])).nodes[1].label == "(no name)"


def test_room_for_states_does_not_depend_on_the_states():
    diagram = diagram_of(flow_of("ab"))

    sources = {
        digraph(diagram, with_room=True).source,
        digraph(diagram_of(flow_of("ab")), with_room=True).source,
    }

    assert len(sources) == 1


def test_a_task_that_only_has_an_upstream_by_name_is_drawn_with_it():
    with Flow("named") as flow:
        flow.add_task(Task(name="a"))
        flow.set_dependencies(Task(name="b"), upstream_tasks=["a"])

    assert len(diagram_of(flow).arrows) == 1
