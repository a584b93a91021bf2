"""Markdown as pages get it: a tree of the few kinds of nodes that they know, however hostile the text is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows.widget import marked as module
from notebook_flows.widget.marked import DEEPEST, LARGEST_TREE, LONGEST_TEXT, marked

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {*"p h1 h2 h3 h4 ul ol li strong em s code pre a blockquote table tr th td hr br".split()}  # noqa: SIM905 - to be read
EVIL = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("# A\n## B\n##### C", [["h1", ["A"]], ["h2", ["B"]], ["h4", ["C"]]]),
        ("a *b* **c** ~~d~~ `e`", [["p", ["a ", ["em", ["b"]], " ", ["strong", ["c"]], " ", ["s", ["d"]], " ",
                                          ["code", ["e"]]]]]),
        ("- a\n- b\n  1. c", [["ul", [["li", ["a"]], ["li", ["b", ["ol", [["li", ["c"]]]]]]]]]),
        ("- a\n\n- b", [["ul", [["li", [["p", ["a"]]]], ["li", [["p", ["b"]]]]]]]),
        ("7. a\n8. b", [["ol", [["li", ["a"]], ["li", ["b"]]], 7]]),
        ("0. a", [["ol", [["li", ["a"]]], 0]]),
        ("> a\n> b", [["blockquote", [["p", ["a\nb"]]]]]),
        ("a  \nb\n\n---", [["p", ["a", ["br", []], "b"]], ["hr", []]]),
        ("```python\nx = 1\n\n```\n\n    y", [["pre", ["x = 1\n"]], ["pre", ["y"]]]),
        ("a|b\n-|-:\n1|*2*", [["table", [["tr", [["th", ["a"]], ["th", ["b"], "right"]]],
                                         ["tr", [["td", ["1"]], ["td", [["em", ["2"]]], "right"]]]]]]),
        ("&lt;b&gt; \\* &amp;amp;", [["p", ["<b> * &amp;"]]]),
        ("", []),
    ],
)  # fmt: skip
def test_what_markdown_means_becomes_nodes(text: str, tree: list[Any]) -> None:
    assert marked(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("[a](https://x.org/?b=1&c)", [["p", [["a", ["a"], "https://x.org/?b=1&c"]]]]),
        ("<HTTPS://x.org>", [["p", [["a", ["HTTPS://x.org"], "HTTPS://x.org"]]]]),
        ("[*a*](mailto:a@b.c)", [["p", [["a", [["em", ["a"]]], "mailto:a@b.c"]]]]),
        ("[a](s3://bucket/key) b", [["p", ["a (s3://bucket/key) b"]]]),
        ("[a](../out/b.md)", [["p", ["a (../out/b.md)"]]]),
        ("[a](#below)", [["p", ["a"]]]),
        ("[a](ftp://x.org/)", [["p", ["a (ftp://x.org/)"]]]),
        ("[a](//x.org/)", [["p", ["a (//x.org/)"]]]),
        ("[a](javascript:alert(1))", [["p", ["[a](javascript:alert(1))"]]]),
        ("[a](java&#115;cript:alert(1))", [["p", ["[a](javascript:alert(1))"]]]),
        ("[a](data:text/html,x)", [["p", ["[a](data:text/html,x)"]]]),
        ("[a](data:image/png;base64,AA)", [["p", ["a"]]]),
        ("![a](https://x.org/a.png)", [["p", ["!", ["a", ["a"], "https://x.org/a.png"]]]]),
    ],
)
def test_only_addresses_of_the_web_and_of_mail_can_be_followed(text: str, tree: list[Any]) -> None:
    assert marked(text) == tree


@pytest.mark.parametrize("text", [EVIL, f"# {EVIL}", f"`{EVIL}`", f"a|b\n-|-\n{EVIL}|x", f"- **{EVIL}**", f"<p>{EVIL}"])
def test_html_is_text(text: str) -> None:
    tree = marked(text)

    assert tree is not None
    assert EVIL in "".join(texts_of(tree))
    assert kinds_of(tree) <= KINDS


@pytest.mark.parametrize(
    "text",
    [
        ">" * 5_000 + "a",
        "".join("  " * depth + "- a\n" for depth in range(90)),
        "|a" * 1_000 + "|\n" + "|-" * 1_000 + "|\n" + "x\n" * 8_000,
        "-\n" * 10_000,
        "[a]: https://x.org/" + "a" * 9_000 + "\n\n" + "[a] " * 2_500,
        "[a]: s3://x.org/" + "a" * 9_000 + "\n\n" + "[a] " * 2_500,
    ],
    ids=["deep quotes", "deep lists", "a wide table", "many rows", "one long address", "one that cannot be followed"],
)
def test_of_small_texts_that_would_be_large_trees_there_is_none(text: str) -> None:
    assert marked(text) is None


@pytest.mark.parametrize(
    "part", ["[", "*a **b ", "`a``", "[a](", "<a ", "- - ", "|", "&amp;", "_*~~", "1. ", "\x00", "\ud800"]
)
def test_every_text_has_a_tree_that_travels_or_none(part: str) -> None:
    tree = marked(part * (LONGEST_TEXT // len(part)))

    assert tree is None or len(json.dumps(tree, ensure_ascii=False)) < 2 * LARGEST_TREE
    assert kinds_of(tree or []) <= KINDS
    assert depth_of(tree or []) <= DEEPEST


def test_of_a_long_text_the_first_lines_are_shown() -> None:
    tree = marked("- one\n" * 10_000)

    assert tree is not None
    rows, more = tree
    assert rows[0] == "ul"
    assert len(rows[1]) == LONGEST_TEXT // len("- one\n")
    assert more == ["p", ["…"]]


def test_without_the_library_there_is_no_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    module._read.cache_clear()

    tree = marked("# Head")
    module._read.cache_clear()

    assert tree is None


def kinds_of(tree: list[Any]) -> set[str]:
    return {one[0] for one in nodes_of(tree)}


def texts_of(tree: list[Any]) -> Iterator[str]:
    for one in tree:
        yield from (one,) if isinstance(one, str) else texts_of(one[1])


def nodes_of(tree: list[Any]) -> Iterator[list[Any]]:
    for one in tree:
        if not isinstance(one, str):
            yield one
            yield from nodes_of(one[1])


def depth_of(tree: list[Any]) -> int:
    return 1 + max((depth_of(one[1]) for one in tree if not isinstance(one, str)), default=0)
