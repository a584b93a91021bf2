"""The picture that ``flow.visualize()`` returns."""

import re
import subprocess
import sys
import warnings
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from IPython.core.formatters import DisplayFormatter
from pictured import HOSTILE, clean, flow_of, load, mapped_flow, report

from notebook_flows import Flow, FlowError, Parameter, Task, state, task, unmapped
from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views import layout, picture as picture_module
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.dot import digraph
from notebook_flows.views.layout import PictureError, laid_out
from notebook_flows.views.picture import Picture, picture_of
from notebook_flows.views.standing import Standing
from notebook_flows.views.theme import look_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def layouts(monkeypatch):
    """The sources that were laid out."""
    asked = []
    monkeypatch.setattr(
        layout, "render", lambda source, *rest, was=layout.render: asked.append(source) or was(source, *rest)
    )
    laid_out.cache_clear()
    return asked


@pytest.fixture
def no_graphviz(monkeypatch):
    def gone(*_, **__):
        raise PictureError("Graphviz is not installed.")

    monkeypatch.setattr(layout, "render", gone)
    monkeypatch.setattr(picture_module, "render", gone)
    laid_out.cache_clear()


def as_told(svg):
    """An SVG without what does not matter: quotes and breaks of lines."""
    return ET.canonicalize(svg, strip_text=True)


def shapes_of(group):
    return (one for one in group.iter() if one.tag.removeprefix(SVG) in {"path", "polygon", "ellipse", "rect"})


def bounds_of(shape):
    """Left, top, right and bottom."""
    told = {name: float(shape.get(name, 0)) for name in ("x", "y", "width", "height", "cx", "cy", "rx", "ry")}
    if shape.tag == f"{SVG}ellipse":
        x, y, rx, ry = (told[name] for name in ("cx", "cy", "rx", "ry"))
        return x - rx, y - ry, x + rx, y + ry
    if shape.tag == f"{SVG}rect":
        return told["x"], told["y"], told["x"] + told["width"], told["y"] + told["height"]
    found = [float(one) for one in re.findall(r"-?[\d.]+", shape.get("d") or shape.get("points"))]
    return min(found[::2]), min(found[1::2]), max(found[::2]), max(found[1::2])


def groups_of(svg):
    """{id: (class, texts, first shape, title)} of the nodes."""
    return {
        g.get("id"): (g.get("class"), [t.text or "" for t in g.iter(f"{SVG}text")], g[1], g.findtext(f"{SVG}title"))
        for g in ET.fromstring(svg).iter(f"{SVG}g")
        if g.get("class").startswith("node")
    }


def standings(*states):
    return {(number, UNMAPPED): Standing(one) for number, one in enumerate(states)}


def test_a_picture_without_a_run_has_names_only():
    nodes = groups_of(flow_of("ab").visualize().svg)

    assert [(cls, texts) for cls, texts, _, _ in nodes.values()] == [("node task state-none", [one]) for one in "ab"]


@pytest.mark.parametrize("one", S)
def test_each_state_has_its_colours_border_glyph_and_word_in_the_svg(one):
    flow = flow_of("a")
    picture = Picture(picture_of(flow).diagram, standings(one))

    cls, texts, shape, title = groups_of(picture.svg)["node-0"]

    facts, look = facts_of(one), look_of(one)
    assert cls == f"node task state-{facts.word.replace(' ', '-')}"
    assert texts == ["a", f"{facts.glyph} {facts.word}"]
    assert (shape.get("fill"), shape.get("stroke"), float(shape.get("stroke-width"))) == (
        look.fill,
        look.border,
        look.points,
    )
    assert (shape.get("stroke-dasharray") is None) == (look.dash == "solid")
    assert title == f"a: {facts.word}"


def test_other_states_are_other_colours_and_no_second_layout(layouts):
    before = Picture(picture_of(flow_of("abc")).diagram, standings(S.PENDING, S.PENDING, S.PENDING))
    first = before.svg

    pictures = [before.with_standings(standings(S.SUCCESS, one, S.PENDING)).svg for one in S]

    assert len(layouts) == 1
    assert len({first, *pictures}) == len(S) + 1
    places = {tuple(re.findall(r' (?:d|points|x|y)="[^"]*"', svg)) for svg in [first, *pictures]}
    assert len(places) == 1


def test_the_same_flow_is_laid_out_once(layouts):
    flow_of("abcd").visualize()._repr_mimebundle_()
    flow_of("abcd").visualize()._repr_mimebundle_()

    assert len(layouts) == 1


def test_making_a_picture_and_reading_its_source_lays_nothing_out(layouts):
    picture = flow_of("ab").visualize()

    assert "digraph" in picture.source
    assert not layouts


def test_a_run_colours_the_picture_and_draws_the_children_of_a_small_map():
    flow = mapped_flow()

    picture = flow.visualize(flow.run(history=False))

    nodes = groups_of(picture.svg)
    assert [nodes[f"node-2-{n}"][1] for n in range(3)] == [[f"clean [{n}]", "✓ success"] for n in range(3)]
    assert nodes["node-3"][0] == "node task state-success"


def test_a_large_map_is_one_node_that_tells_its_counts():
    @task
    def odd(x):
        if x % 2:
            raise ValueError(f"<{x}> is odd")

    with Flow("odd") as flow:
        odd.map(list(range(40)))

    nodes = groups_of(flow.visualize(flow.run(history=False)).svg)

    cls, texts, _, title = nodes["node-0" if "mapped" in nodes["node-0"][0] else "node-1"]
    assert cls == "node mapped state-failed"
    assert texts == ["odd <map>", "✗ 20\u2002✓ 20"]
    assert title.startswith("odd: 20 failed, 20 success")


def test_the_message_of_a_failure_is_in_the_tooltip():
    @task
    def fails():
        raise ValueError("<script>no</script>")

    with Flow("bad") as flow:
        fails()

    svg = flow.visualize(flow.run(history=False)).svg

    assert "&lt;script&gt;no&lt;/script&gt;" in svg
    assert "<script" not in svg


def test_the_states_may_be_a_dict_of_states():
    flow = flow_of("ab")
    first, _ = flow.tasks

    picture = flow.visualize(state.Success(result={first: state.Skipped(), Task(name="foreign"): state.Failed()}))

    assert [node[0] for node in groups_of(picture.svg).values()] == ["node task state-skipped", "node task state-none"]


def test_children_may_be_given_as_states_too():
    with Flow("mapped") as flow:
        clean.map(load(1))
    one, two = flow.tasks
    mapped, other = (one, two) if one.is_mapped else (two, one)

    picture = flow.visualize(
        state.Success(
            result={other: state.Success(), mapped: state.Mapped(map_states=[state.Success(), state.Failed()])}
        )
    )

    assert [node[1] for node in groups_of(picture.svg).values() if "mapped" in node[0]] == [
        ["clean [0]", "✓ success"],
        ["clean [1]", "✗ failed"],
    ]


def test_what_is_no_flow_s_state_is_told():
    with pytest.raises(FlowError, match="is not the state of a flow"):
        flow_of("a").visualize(state.Success(result=1))


def test_horizontal_goes_from_left_to_right():
    assert "rankdir=LR" in flow_of("ab").visualize(horizontal=True).source


# -- notebooks ---------------------------------------------------------------------------------------------------------


def test_a_notebook_gets_svg_an_image_and_text():
    bundle = flow_of(['a "quoted" <b>', "c"], 'flow "x" <i>').visualize()._repr_mimebundle_()

    assert list(bundle) == ["image/svg+xml", "text/html", "text/plain"]
    alt, data = re.fullmatch(
        r'<img alt="([^"]*)" style="[^"]*" src="data:image/svg\+xml,([^"]*)">', bundle["text/html"]
    ).groups()
    assert as_told(unquote(data)) == as_told(bundle["image/svg+xml"])
    assert alt == "Flow &#x27;flow &quot;x&quot; &lt;i&gt;&#x27;: 2 tasks"
    assert bundle["text/plain"].splitlines()[1:] == ['a "quoted" <b>', "└─ c"]


@pytest.mark.parametrize(
    ("width", "forms", "most"),
    [(20, {"image/svg+xml", "text/html", "text/plain"}, 700_000), (50, {"text/html", "text/plain"}, 1_000_000)],
)
def test_what_a_notebook_keeps_of_a_large_picture_has_a_limit(monkeypatch, width, forms, most):
    flow = flow_of(f"step {number}" for number in range(width * 20))
    tasks = list(flow.tasks)
    for number in range(width * 20 - 30):
        flow.add_edge(tasks[number], tasks[number + 30])
    states = standings(*[S.SUCCESS] * width * 20)

    picture = Picture(picture_of(flow).diagram, states)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, *, raw: shown.append(bundle))
    bundle, _ = DisplayFormatter().format(picture)

    bundle = bundle or shown[0]
    assert set(bundle) == forms
    assert picture._repr_svg_() is not None
    assert sum(map(len, bundle.values())) < most


def test_a_picture_is_written_with_few_characters_and_looks_the_same():
    with Flow("kinds") as flow:
        made = [load(1), load(Task(name="other")())]
        report(clean.map(made, factor=unmapped(Parameter("factor"))))
    raw = ET.fromstring(laid_out(digraph(picture_of(flow).diagram).source))
    compact = ET.fromstring(picture_of(flow).svg)

    nodes = {g.get("id"): g for g in compact.iter(f"{SVG}g")}

    assert len(ET.tostring(compact)) < 0.7 * len(ET.tostring(raw))
    for group in raw.iter(f"{SVG}g"):
        if not group.get("class", "").startswith("node"):
            continue
        before, after = (bounds_of(next(shapes_of(one))) for one in (group, nodes[group.get("id")]))
        assert after == pytest.approx(before, abs=0.2)
    labels = [text for text in compact.iter(f"{SVG}text") if text.get("stroke") == "none"]
    assert [text.text.strip() for text in labels]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup_in_any_form(name):
    picture = flow_of([name, "b"], name).visualize()

    bundle = picture._repr_mimebundle_()

    assert bundle["text/html"].count("<") == bundle["text/html"].count(">") == 1
    address = re.search(r'src="data:image/svg\+xml,([^"]*)"', bundle["text/html"])[1]
    assert as_told(unquote(address)) == as_told(bundle["image/svg+xml"])
    assert not re.search(r"<(?!/?(svg|g|title|text|path|polygon|polyline|ellipse|rect)\b)", bundle["image/svg+xml"])
    for form in bundle.values():
        assert form.encode()
    assert "\x1b" not in bundle["text/plain"]


def test_without_graphviz_a_notebook_is_told_why_and_gets_the_source(no_graphviz):
    picture = flow_of(["<b>", "c"]).visualize()

    bundle = picture._repr_mimebundle_()

    assert list(bundle) == ["text/html", "text/plain"]
    assert "Graphviz is not installed." in bundle["text/html"]
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    assert picture.source in bundle["text/plain"]
    assert picture._repr_svg_() is None


def test_a_layout_that_failed_is_not_tried_again_for_the_same_picture(monkeypatch):
    asked = []

    def fails(source, *_):
        asked.append(source)
        raise PictureError("It takes too long.")

    monkeypatch.setattr(layout, "render", fails)
    laid_out.cache_clear()
    picture = flow_of("xyz").visualize()
    picture._repr_mimebundle_()
    picture._repr_mimebundle_()

    assert len(asked) == 1


def test_a_huge_flow_is_not_laid_out_and_says_so(layouts):
    picture = flow_of(map(str, range(3_000))).visualize()

    bundle = picture._repr_mimebundle_()

    assert not layouts
    assert "has 3,000 tasks and 2,999 edges; pictures are drawn up to 1,000 tasks" in bundle["text/plain"]
    assert len(bundle["text/plain"]) < 60_000


def test_three_hundred_tasks_are_drawn():
    with Flow("wide") as flow:
        above = [load(n) for n in range(10)]
        for number in range(290):
            above.append(report(above[number], above[number * 7 % 10]))

    svg = flow.visualize().svg

    assert len(groups_of(svg)) == 300
    assert "<title>load → report (day)</title>" in svg
    assert len(svg) < 2_000_000


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "format_name", "written", "begin"),
    [
        ("flow", None, "flow.svg", b"<?xml"),
        ("flow.svg", None, "flow.svg", b"<?xml"),
        ("flow.png", None, "flow.png", b"\x89PNG"),
        ("flow", "png", "flow.png", b"\x89PNG"),
        ("flow.png", "png", "flow.png", b"\x89PNG"),
        ("flow.v2", None, "flow.v2.svg", b"<?xml"),
        ("flow.v2", "pdf", "flow.v2.pdf", b"%PDF"),
        ("flow.png", "svg", "flow.png.svg", b"<?xml"),
        ("flow.PNG", None, "flow.PNG", b"\x89PNG"),
        ("flow.dot", None, "flow.dot", b"digraph"),
        ("flow.jpg", None, "flow.jpg", b"\xff\xd8"),
    ],
)
def test_a_file_name_tells_the_format_or_gets_its_ending(tmp_path, filename, format_name, written, begin):
    flow_of("ab").visualize(filename=str(tmp_path / filename), format=format_name)

    (path,) = tmp_path.iterdir()
    assert path.name == written
    assert path.read_bytes().startswith(begin)


def test_a_format_that_graphviz_does_not_know_is_told_and_the_source_written(tmp_path):
    with pytest.warns(UserWarning, match=r"cannot write 'webp'.*Its DOT source is in .*flow.webp.dot") as caught:
        flow_of("ab").visualize(filename=str(tmp_path / "flow.webp"))

    assert [path.name for path in tmp_path.iterdir()] == ["flow.webp.dot"]
    assert caught[0].filename == __file__


def test_saving_says_what_is_wrong_and_leaves_the_old_file(tmp_path, no_graphviz):
    path = tmp_path / "flow.svg"
    path.write_text("old")

    with pytest.raises(PictureError, match="not installed"):
        flow_of("ab").visualize().save(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_half_written_stays(tmp_path):
    (tmp_path / "flow.svg").mkdir()

    with pytest.raises(OSError):  # noqa: PT011 - which one differs from system to system
        flow_of("ab").visualize().save(tmp_path / "flow.svg")

    assert [path.name for path in tmp_path.iterdir()] == ["flow.svg"]


def test_a_saved_svg_has_its_colours_in_it(tmp_path):
    picture = Picture(picture_of(flow_of("a")).diagram, standings(S.FAILED))

    text = picture.save(tmp_path / "flow").read_text(encoding="utf-8")

    assert 'fill="#D55E00"' in text
    assert "<style" not in text
    assert "var(" not in text


def test_view_opens_a_file_in_the_browser(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    path = flow_of("ab").visualize().view()

    assert opened == [path.as_uri()]
    assert path.read_bytes().startswith(b"<?xml")


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_a_script_gets_the_picture_and_nothing_else(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from notebook_flows import Flow, task\n"
        "@task\ndef a(): ...\n"
        "with Flow('script') as flow: a()\n"
        "print(repr(flow.visualize(filename='out.png')))\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("<Picture of flow 'script': 1 task>\n", "")
    assert (tmp_path / "out.png").exists()


def test_printing_a_picture_shows_the_tree():
    picture = Picture(picture_of(flow_of("ab")).diagram, standings(S.SUCCESS, S.FAILED))

    assert str(picture) == "Flow 'flow': 2 tasks, 1 failed, 1 success\n✓ a       success\n└─ ✗ b    failed"


def test_the_text_tells_how_children_ended():
    with warnings.catch_warnings():
        flow = mapped_flow(40)
    text = flow.visualize(flow.run(history=False)).text()

    assert re.search(r"✓ clean +success +40 success; also after n", text)


def test_the_source_is_what_graphviz_s_package_holds():
    picture = flow_of("ab").visualize()

    assert picture.digraph.source == picture.source


def test_a_task_that_is_hidden_is_in_no_form_of_the_picture() -> None:
    @task
    def step() -> None:
        """Nothing."""

    with Flow("steps") as flow:
        first, aside, last = step(task_args={"name": "first"}), step(task_args={"name": "aside"}), step()
    flow.set_dependencies(aside, [first])
    flow.set_dependencies(last, [aside])
    states = {(number, UNMAPPED): Standing(S.SUCCESS) for number in range(3)}

    picture = Picture(diagram_of(flow, hidden={1}), {}).with_standings(states)

    assert picture.text() == "Flow 'steps': 2 tasks, 2 success\n✓ first      success\n└─ ✓ step    success"
    assert "aside" not in picture.svg + picture.source
    assert "edge-node-0-node-2" in picture.svg
