"""What can be attached, as what it is kept, and what is said of all else."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from notebook_flows import artifact
from notebook_flows.artifacts import values
from notebook_flows.artifacts.content import ArtifactError, Content
from notebook_flows.artifacts.values import content_of

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def content(value: Any, *, kind: str | None = None, name: str | None = None) -> Content:
    return content_of(value, kind=kind, name=name)


def table(value: Any) -> Any:
    found = content(value)
    assert found.kind == "table"
    assert found.data is not None
    told = json.loads(found.data)
    return told["columns"], told["rows"], told["row_count"]


class Point(NamedTuple):
    x: int
    y: int


class Drawn:
    def _repr_svg_(self) -> str:
        return SVG


class BadText:
    def __str__(self) -> str:
        raise RuntimeError("no text")


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        ([{"a": 1, "b": "x"}, {"a": 2}], ["a", "b"], [[1, "x"], [2, None]]),
        ({"a": [1, 2], "b": [3, 4]}, ["a", "b"], [[1, 3], [2, 4]]),
        ({"rows": 12, "share": 0.5}, ["name", "value"], [["rows", 12], ["share", 0.5]]),
        ([[1, 2], [3]], ["0", "1"], [[1, 2], [3, None]]),
        ([Point(1, 2)], ["x", "y"], [[1, 2]]),
        ([1, "b"], ["value"], [[1], ["b"]]),
        ([], [], []),
        ([{"a": float("nan"), "b": float("inf"), "c": 10**20}], ["a", "b", "c"], [[None, "inf", str(10**20)]]),
        (
            [{"a": date(2026, 1, 2), "b": datetime(2026, 1, 2, 3, tzinfo=UTC), "c": Decimal("1.50"), "d": BadText()}],
            ["a", "b", "c", "d"],
            [["2026-01-02", "2026-01-02 03:00:00+00:00", "1.50", "<BadText>"]],
        ),
        ([{("a", 1): True}], ["a, 1"], [[True]]),
    ],
)  # fmt: skip
def test_what_has_rows_is_a_table(value: Any, columns: list[str], rows: list[list[Any]]) -> None:
    assert table(value) == (columns, rows, len(rows))


def test_pandas_frames_are_tables_with_an_index_that_says_something() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"v": [1.5, None], "when": pd.to_datetime(["2026-01-02", None])}, index=["a", "b"])

    assert table(frame) == (["index", "v", "when"], [["a", 1.5, "2026-01-02 00:00:00"], ["b", None, None]], 2)
    assert table(pd.DataFrame({"v": pd.array([1, None], dtype="Int64")})) == (["v"], [[1], [None]], 2)
    assert table(pd.Series([1, 2], name="s")) == (["s"], [[1], [2]], 2)
    assert table(pd.DataFrame()) == ([], [], 0)
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert table(twice) == (["a", "a"], [[1, 2]], 1)


def test_polars_pyarrow_and_numpy_have_tables_too() -> None:
    pl, pa, np = (pytest.importorskip(name) for name in ("polars", "pyarrow", "numpy"))

    assert table(pl.DataFrame({"a": [1, None]})) == (["a"], [[1], [None]], 2)
    assert table(pa.table({"a": [1, None]})) == (["a"], [[1], [None]], 2)
    assert table(np.array([[1, 2], [3, 4]])) == (["0", "1"], [[1, 2], [3, 4]], 2)
    with pytest.raises(ArtifactError, match="2 dimensions, this one has 1"):
        content(np.array([1, 2]))


def test_of_a_long_table_the_first_rows_are_kept_and_that_is_said() -> None:
    found = content([{"n": n} for n in range(5_000)])

    assert found.summary == "first 1,000 of 5,000 rows, 1 column"
    assert found.data is not None
    told = json.loads(found.data)
    assert len(told["rows"]) == 1_000
    assert told["row_count"] == 5_000


def test_a_cell_is_cut_and_a_table_that_is_too_wide_refused() -> None:
    assert table([{"a": "x" * 5_000}])[1] == [["x" * 1_000 + "…"]]
    with pytest.raises(ArtifactError, match="200 columns at most, this one has 201"):
        content([{str(n): n for n in range(201)}])
    with pytest.raises(ArtifactError, match=r"same length, those given have not \('a': 2, 'b': 1\)"):
        content({"a": [1, 2], "b": [1]})


# -- images ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        (png(), "image/png"),
        (b"\xff\xd8\xff\xe0 and so on", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (SVG.encode(), "image/svg+xml"),
        (f'<?xml version="1.0"?>\n<!-- made -->\n{SVG}'.encode(), "image/svg+xml"),
        (Drawn(), "image/svg+xml"),
    ],
)
def test_images_are_told_by_their_bytes(value: Any, media_type: str) -> None:
    found = content(value)

    assert (found.kind, found.media_type) == ("image", media_type)


def test_figures_and_pictures_are_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2])

    found = [content(figure), content(axes), content(Image.new("CMYK", (2, 2))), content(Image.new("RGBA", (2, 2)))]

    assert {one.media_type for one in found} == {"image/png"}
    assert all(one.data is not None and Image.open(io.BytesIO(one.data)).format == "PNG" for one in found)


# -- files and links ---------------------------------------------------------------------------------------------------


def test_a_file_is_copied_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "report of today.pdf"
    path.write_bytes(b"%PDF-1.7")

    found = content(path)

    assert found == Content(
        "file", "application/pdf", "report of today.pdf, 8 bytes", b"%PDF-1.7", "report of today.pdf"
    )
    assert content(str(path), kind="file").data == b"%PDF-1.7"


def test_a_file_that_is_an_image_is_one(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_bytes(png())

    assert (content(path).kind, content(path).file_name) == ("image", "plot.png")


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\x\\y.csv", "y.csv"), ("a\nb.txt", "a_b.txt"), ("..", "file")],
)
def test_a_file_name_never_leads_elsewhere(name: str, kept: str) -> None:
    assert content(b"some bytes", name=name).file_name == kept


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        os.truncate(file.fileno(), values.MOST_BYTES + 1)

    with pytest.raises(ArtifactError, match=r"has 100\.0 MiB; 100\.0 MiB is the most that is kept") as caught:
        content(path)

    assert str(path) in str(caught.value)


def test_a_device_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MOST_BYTES", 10_000)

    with pytest.raises(ArtifactError, match="is the most that is kept"):
        content(Path("/dev/zero"))


@pytest.mark.parametrize("address", ["https://example.org/a?b=c#d", "HTTP://example.org", " https://example.org "])
def test_an_address_is_a_link(address: str) -> None:
    assert content(address).link == address.strip()


def test_other_addresses_are_links_when_that_is_said() -> None:
    assert content("s3://bucket/key", kind="link").link == "s3://bucket/key"
    assert content("see https://example.org").kind == "markdown"


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "more", "said"),
    [
        (object(), {}, "of type 'object' cannot be attached. What can: a DataFrame"),
        (3, {}, "of type 'int' cannot be attached"),
        (None, {}, "of type 'NoneType' cannot be attached"),
        (b"no image", {}, "give it a name: artifact(data, name='model.bin')"),
        (b"no image", {"kind": "image"}, "PNG, JPEG, GIF, WebP and SVG can"),
        (3, {"kind": "table"}, "is no table; a DataFrame is one"),
        ("x", {"kind": "tabel"}, "no kind of artifact 'tabel'; there are table, markdown, image, file, link. Did you mean 'table'?"),
        ("javascript:alert(1)", {"kind": "link"}, "is no address that can be attached"),
        ("data:text/html,<script>", {"kind": "link"}, "is no address that can be attached"),
        ("https://a b", {"kind": "link"}, "is no address that can be attached"),
        (Path("/nowhere/at/all"), {}, "'/nowhere/at/all' cannot be attached: No such file or directory"),
        (Path("/"), {}, "cannot be attached: Is a directory"),
        ("x" * (1 << 20) + "x", {}, "1,048,576 characters at most"),
    ],
)  # fmt: skip
def test_what_cannot_be_attached_is_said(value: Any, more: dict[str, str], said: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        content(value, **more)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"key": ""}, "key of an artifact is a text of one line"),
        ({"key": "a\nb"}, "key of an artifact is a text of one line"),
        ({"key": "k" * 101}, "100 characters at most, not 101"),
        ({"title": 3}, "title of an artifact is a text of one line, not 3"),
        ({"description": 3}, "description of an artifact is a text, not a int"),
    ],
)
def test_names_are_texts_of_one_line(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        artifact("text", **more)

    assert said in str(caught.value)


def test_outside_of_a_task_nothing_happens() -> None:
    artifact([{"a": 1}], "rows")  # raises nothing: functions of tasks are tested alone
