"""How artifacts are shown: on the command line, in notebooks, in pictures; and that no text of theirs becomes HTML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from notebook_flows import Flow, artifact, task
from notebook_flows.artifacts.values import content_of as made_of
from notebook_flows.cli.app import app
from notebook_flows.views.artifacts import Shown

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
ALLOWED = {
    "div", "strong", "p", "table", "thead", "tbody", "tr", "th", "td", "img", "a", "h1", "h2", "ul", "li", "em", "code",
    "pre", "br", "s", "hr", "blockquote",
}  # fmt: skip


class Tags(HTMLParser):
    """The tags and attributes of a page, as a browser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def shown(value: Any, *, heading: str = HOSTILE, description: str = HOSTILE, **how: Any) -> Shown:
    made = made_of(value, kind=how.get("kind"), name=how.get("name"))
    return Shown(
        kind=made.kind,
        heading=heading,
        description=description,
        media_type=made.media_type,
        summary=made.summary,
        content=made.data if made.data is not None else made.link.encode(),
    )


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ([{HOSTILE: HOSTILE}], {}),
        (HOSTILE, {}),
        (f"# {HOSTILE}\n\n[x](javascript:alert(1)) ![y](https://example.org/z.png) <a href=javascript:alert(3)>", {}),
        ("[x](&#106;avascript:alert(1)) [y](data:text/html;base64,AAAA) <javascript:alert(1)>", {}),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>', {}),
        (HOSTILE.encode(), {"name": f"{HOSTILE}.html"}),
        ("https://example.org/?" + "'onclick=alert(1)", {}),
        ("s3://bucket/key", {"kind": "link"}),
    ],
)
def test_no_text_becomes_html(value: Any, how: dict[str, Any]) -> None:
    bundle = shown(value, **how).bundle()

    for tag, attributes in Tags(bundle["text/html"]).found:
        assert tag in ALLOWED
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "a":
            assert str(attributes["href"]).startswith(("https://", "http://"))
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/")
    assert "text/plain" in bundle
    assert "image/svg+xml" not in bundle


def test_markdown_is_read_as_markdown() -> None:
    page = shown("# Done\n\n- one\n- two\n\n| a |\n|---|\n| 1 |", heading="x", description="").bundle()["text/html"]

    assert "<h1>Done</h1>" in page
    assert page.count("<li>") == 2
    assert "<td>1</td>" in page


def test_what_is_printed_does_nothing_to_a_terminal() -> None:
    text = shown("fine\n  \x1b[31mred\x07", heading="\x1b]0;title\x07", description="\x1b[2J").text()

    assert not set(text) & {"\x1b", "\x07"}
    assert "\n  �[31mred�" in text


# -- the command line --------------------------------------------------------------------------------------------------


@task(name="look: <b>")
def look(n):
    artifact([{"n": n, "said": "=1+1, \u202etxt"}], "rows", title="What came in")
    artifact(b"%PDF", name="r.pdf")
    artifact("# Done", "../../evil")
    artifact("https://example.org")


@pytest.fixture
def run_id(disk: Any) -> str:
    with Flow("views") as flow:
        look.map([1, 2])
        task(lambda: 1, name="silent")()
    found: str = flow.run().context["flow_run_id"]
    return found


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_lists_what_it_has(run_id: str) -> None:
    lines = said("artifacts", run_id[:8]).splitlines()

    assert lines[0].split() == ["Task", "Key", "Kind", "Title", "What"]
    assert lines[1].split("  ")[0] == "look: <b>[0]"
    assert len(lines) == 9
    assert "1 row, 2 columns" in lines[1]


def test_one_task_or_key_is_chosen(run_id: str) -> None:
    assert len(said("artifacts", run_id, "look: <b>[1]").splitlines()) == 5
    known = json.loads(said("artifacts", "latest", "--key", "rows", "--json"))
    assert [(one["index"], one["key"], one["title"]) for one in known] == [
        (0, "rows", "What came in"),
        (1, "rows", "What came in"),
    ]
    assert "has no artifacts" in said("artifacts", "latest", "silent")


def test_a_slip_is_told(run_id: str) -> None:
    for words, hint in ((["lok: <b>"], "Did you mean 'look: <b>'?"), (["--key", "row"], "Did you mean 'rows'?")):
        done = CliRunner().invoke(app, ["artifacts", run_id, *words])

        assert done.exit_code == 2
        assert hint in done.output
        assert "Traceback" not in done.output


def test_what_has_no_title_does_not_say_its_key_twice(run_id: str) -> None:
    untitled = shown("All is well.", heading="", description="")

    printed = said("artifacts", run_id, "look: <b>[0]", "--key", "link", "--print")

    assert untitled.text() == "All is well."
    assert "<strong>" not in untitled.bundle()["text/html"]
    assert printed.splitlines()[1].startswith("https://")


def test_what_is_kept_is_printed(run_id: str) -> None:
    text = said("artifacts", run_id, "look: <b>[0]", "--print")

    assert "What came in\nn  said\n-" in text
    assert "# Done" in text
    assert "\u202e" not in text


def test_files_are_saved_inside_the_folder_and_nothing_is_overwritten(run_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved here"

    said("artifacts", run_id, "--save", str(folder))

    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        f"look_b-{index}/{name}" for index in (0, 1) for name in ("evil.md", "link.txt", "r.pdf", "rows.csv")
    ]
    assert (folder / "look_b-0" / "rows.csv").read_bytes().startswith(b"n,said\r\n1,")
    said("artifacts", run_id, "--save", str(folder))  # the same again is no harm
    (folder / "look_b-0" / "evil.md").write_text("mine")
    done = CliRunner().invoke(app, ["artifacts", run_id, "--save", str(folder)])
    assert done.exit_code == 2
    assert "is there already, and is something else" in done.output
    assert (folder / "look_b-0" / "evil.md").read_text() == "mine"


def test_content_that_is_gone_is_told_in_a_sentence(run_id: str, disk: Any, tmp_path: Path) -> None:
    disk._writer.call(lambda connection: connection.execute("DELETE FROM content"))

    done = CliRunner().invoke(app, ["artifacts", run_id, "--print"])

    assert done.exit_code == 3
    assert "is not in the history any more" in done.output
    assert "Traceback" not in done.output


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_a_picture_counts_what_a_task_has_attached_and_names_it(disk: Any) -> None:
    @task
    def attach(n):
        for number in range(n):
            artifact("text", title=f"{HOSTILE} {number}")

    @task
    def nothing():
        return None

    with Flow("pictured") as flow:
        attach(5)
        nothing()
    state = flow.run()

    root = ET.fromstring(flow.visualize(flow_state=state).svg)

    badges = [one for one in root.iter("{http://www.w3.org/2000/svg}g") if one.get("class") == "attached"]
    (badge,) = badges
    texts = [one.text for one in badge.iter() if one.text]
    assert texts[-1] == "5"
    assert texts[0].startswith("Attached: <img src=x onerror=alert(1)>")
    assert texts[0].endswith("and 2 more")
    assert not [one for one in root.iter() if one.tag.rpartition("}")[2] in {"script", "img"}]
