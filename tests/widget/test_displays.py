"""What a page is told of what a task has shown and printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notebook_flows.widget.detail import MOST_DISPLAYED, displays

HTML_ONLY = "<IPython.core.display.HTML object>"
STYLED = "<pandas.io.formats.style.Styler at 0x7f00>"
TABLE = (
    "<style>td {color: red}</style><script>alert(1)</script><table><tr><th>a<th>b</tr><tr><td>1<td>&lt;2</tr></table>"
)


def shown(**forms: str | list[str]) -> dict[str, Any]:
    data = {name.replace("_", "/").replace("svg", "svg+xml"): value for name, value in forms.items()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (shown(image_png="AAAA", text_plain="<Figure>"), {"png": "AAAA", "plain": "<Figure>"}),
        (shown(image_jpeg="/9j/"), {"png": "/9j/"}),
        (shown(image_svg=["<svg", "/>"], text_plain="x"), {"svg": "<svg/>", "plain": "x"}),
        (shown(text_html="<b>1</b>", text_plain="   a\n0  1"), {"plain": "   a\n0  1"}),
        (shown(text_html=TABLE, text_plain=HTML_ONLY), {"plain": "a  b\n1  <2"}),
        (shown(text_html="<p>one</p><p>two</p>", text_plain=STYLED), {"plain": "one\n\ntwo"}),
        (shown(text_html="<h1>only</h1>"), {"plain": "only"}),
        (shown(text_html="<script>1</script>", text_plain=HTML_ONLY), {"plain": HTML_ONLY}),
        (
            shown(text_markdown="# Bad rows", text_plain="<IPython.core.display.Markdown object>"),
            {"marked": [["h1", ["Bad rows"]]]},
        ),
        (shown(text_markdown="**1**", text_plain="Count(1)"), {"marked": [["p", [["strong", ["1"]]]]]}),
        (shown(text_markdown="**1**", text_html="<b>1</b>", text_plain="Count(1)"), {"plain": "Count(1)"}),
        (shown(text_markdown="*1*", text_html="<i>1</i>", text_plain=HTML_ONLY), {"marked": [["p", [["em", ["1"]]]]]}),
        (shown(text_markdown=">" * 50, text_plain="<IPython.core.display.Markdown object>"), {"plain": ">" * 50}),
        (shown(text_latex="$x$", text_plain="<IPython.core.display.Math object>"), {"plain": "$x$"}),
    ],
)
def test_of_an_output_the_form_is_told_that_says_most(output: dict[str, Any], told: dict[str, str]) -> None:
    assert displays([output]) == ([told], [], "")


def test_lines_that_were_written_over_are_told_as_they_stand_in_the_end() -> None:
    texts = ["start\n 0%|   |\r 50%|#  |", "\r100%|###|\r\n", "end\r"]

    _, lines, _ = displays([{"output_type": "stream", "name": "stderr", "text": text} for text in texts])

    assert lines == ["start", "100%|###|", "end"]


def test_markdown_takes_no_more_room_than_all_outputs_have_together() -> None:
    text = "- *a* **b**\n" * 1_500

    told, _, _ = displays([shown(text_markdown=text, text_plain=HTML_ONLY)] * 30)

    assert set(told[0]) == {"marked"}
    assert len(json.dumps(told)) < 1.2 * MOST_DISPLAYED
