"""What a page is shown of artifacts: enough to be read, whatever their size, and nothing that is no JSON to a page."""

from __future__ import annotations

import base64
import json
from typing import Any

from notebook_flows.errors import StoreUnavailable
from notebook_flows.store.rows import ArtifactRow
from notebook_flows.widget.attached import LARGEST_BYTES, LONGEST_CELL, LONGEST_TEXT, MOST_ROWS, told_artifacts

RUN = "1a2b3c4d" * 4


def row(kind: str, *, size: int = 10, media_type: str = "", **more: Any) -> ArtifactRow:
    given: dict[str, Any] = {
        "seq": 1, "at_us": 0, "slug": "load-1", "node": 0, "index": -1, "attempt": 1, "loop": 1, "key": "it",
        "title": "", "description": "", "summary": "it, large", "file_name": "", "link": "",
        "content": {"size": size, "sha256": "", "in": "history"},
    }  # fmt: skip
    return ArtifactRow(kind=kind, media_type=media_type, **{**given, **more})


def never(one: ArtifactRow) -> bytes:
    raise AssertionError(one)


def table(columns: list[str], rows: list[list[Any]], count: int) -> bytes:
    return json.dumps({"columns": columns, "rows": rows, "row_count": count}).encode()


def test_a_table_comes_with_its_first_rows_and_says_how_many_more_there_are() -> None:
    content = table(["a"], [[n] for n in range(500)], 7_000)

    (told,) = told_artifacts([row("table")], lambda _: content, run_id=RUN)

    assert told["table"]["rows"] == [[str(n)] for n in range(MOST_ROWS)]
    assert told["table"]["more"] == 7_000 - MOST_ROWS


def test_cells_are_short_and_json_to_a_page() -> None:
    content = table(["a", "b", "c"], [[float("inf"), None, "x" * 9_000]], 1)

    (told,) = told_artifacts([row("table")], lambda _: content, run_id=RUN)

    assert json.loads(json.dumps(told, allow_nan=False))["table"]["rows"] == [["inf", None, "x" * LONGEST_CELL]]
    assert "more" not in told["table"]


def test_pictures_come_as_long_as_there_is_room() -> None:
    rows = [row("image", media_type="image/png", size=60), row("image", media_type="image/png", size=60)]

    first, second = told_artifacts(rows, lambda _: b"p" * 60, room=100, run_id=RUN)

    assert base64.b64decode(first["png"]) == b"p" * 60
    assert "png" not in second
    assert second["plain"].startswith("it, large.")


def test_what_is_too_large_and_what_is_a_file_is_not_even_read() -> None:
    rows = [row("table", size=LARGEST_BYTES + 1), row("file", file_name="a.bin"), row("link", link="https://x")]

    told = told_artifacts(rows, never, run_id=RUN)

    command = "it, large. `notebook-flows artifacts 1a2b3c4d load-1 --save FOLDER` writes it to a file."
    assert [one.get("plain") for one in told] == [command, command, None]
    assert told[2]["href"] == "https://x"


def test_what_cannot_be_read_is_told_in_its_place() -> None:
    def read(one: ArtifactRow) -> bytes:
        if one.key == "gone":
            raise StoreUnavailable("The bucket is away.")
        return b"# Head"

    gone, there = told_artifacts([row("markdown", key="gone"), row("markdown")], read, run_id=RUN)

    assert "The bucket is away." in gone["plain"]
    assert there["marked"] == [["h1", ["Head"]]]


def test_a_text_is_shown_as_it_is_written_where_it_is_too_entangled_or_there_are_many_long_ones() -> None:
    long = "word\n" * 4_000

    entangled, *many = told_artifacts(
        [row("markdown", key="1"), *(row("markdown") for _ in range(6))],
        lambda one: b">" * 30_000 if one.key == "1" else long.encode(),
        run_id=RUN,
    )

    assert entangled == {"key": "1", "kind": "markdown", "text": ">" * LONGEST_TEXT + "…"}
    assert [set(one) - {"key", "kind"} for one in many] == [{"marked"}] * 4 + [{"text"}] * 2


def test_an_svg_is_a_picture_and_never_text_of_the_page() -> None:
    (told,) = told_artifacts([row("image", media_type="image/svg+xml")], lambda _: b"<svg><script/></svg>", run_id=RUN)

    assert told == {"key": "it", "kind": "image", "svg": "<svg><script/></svg>"}
