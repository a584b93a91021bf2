"""A Markdown text as a small tree of plain nodes, of which a page makes elements: HTML is none of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from notebook_flows.views.artifacts import markdown_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

LONGEST_TEXT = 20_000
"""Characters; of a longer text the first lines are read."""
LARGEST_TREE = 100_000
"""Characters, about: short texts can become large trees, as `[x]: ADDRESS` does that is used again and again."""
DEEPEST = 40
_NODE = 20
"""Characters that a node takes beside its text."""
_KINDS = frozenset(
    "p h1 h2 h3 h4 ul ol li strong em s code pre a blockquote table tr th td hr br".split()  # noqa: SIM905 - to be read
)
_KIND_OF = {"h5": "h4", "h6": "h4"}
_NOT_READ = ("#", "data:")
"""A place in the same text, and what is a picture and no address."""
_FOLLOWED = ("http://", "https://", "mailto:")


def marked(text: str) -> list[Any] | None:
    r"""Its tree: each node is a text, or ``[kind, nodes]`` with a third entry where there is more to say.

    The third entry is the address of ``a``, the first number of ``ol``, and the side to which ``th`` and ``td`` are set.
    Addresses that are not of the web stand behind the text that has them, and cannot be followed.

    Returns:
        The tree, not to be changed; None: the text is too entangled to be shown so.

    >>> marked("# Bad rows\n\n**3** of [them](https://example.org/)")
    [['h1', ['Bad rows']], ['p', [['strong', ['3']], ' of ', ['a', ['them'], 'https://example.org/']]]]
    >>> marked("<img src=x onerror=alert(1)>")
    [['p', ['<img src=x onerror=alert(1)>']]]
    """
    if len(text) <= LONGEST_TEXT:
        return _read(text)
    begin = text[:LONGEST_TEXT]
    tree = _read(begin[: begin.rfind("\n") + 1] or begin)
    return None if tree is None else [*tree, ["p", ["…"]]]


@lru_cache(maxsize=32)
def _read(text: str) -> list[Any] | None:
    """Kept, because pages ask every other second while a task runs."""
    try:
        tokens = markdown_reader().parse(text)
    except ImportError:  # installed without what it needs
        return None
    return _Tree().built(_flat(tokens))


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from token.children or ()
        else:
            yield token


class _Tree:
    def __init__(self) -> None:
        self._top: list[Any] = []
        self._open: list[tuple[list[Any], str]] = [(self._top, "")]
        """What is being filled, and the text that stands behind it."""
        self._room = LARGEST_TREE

    def built(self, tokens: Iterable[Token]) -> list[Any] | None:
        for token in tokens:
            if token.nesting > 0:
                self._begin(token)
            elif token.nesting < 0:
                self._text(self._open.pop()[1])
            else:
                self._leaf(token)
            if self._room < 0 or len(self._open) > DEEPEST:
                return None
        return self._top

    def _begin(self, token: Token) -> None:
        kind = _KIND_OF.get(token.tag, token.tag)
        address = str(token.attrGet("href") or "")
        if token.hidden or kind not in _KINDS:  # what it has in it stands where it stands
            self._open.append((self._open[-1][0], ""))
        elif kind == "a" and not address.lower().startswith(_FOLLOWED):
            behind = "" if address.startswith(_NOT_READ) or not address else f" ({address})"
            self._open.append((self._open[-1][0], behind))
        else:
            self._open.append((self._node(kind, address or _more(token)), ""))

    def _leaf(self, token: Token) -> None:
        if token.type == "softbreak":
            self._text("\n")
        elif token.type in {"hr", "hardbreak"}:
            self._node(token.tag)
        elif token.type in {"fence", "code_block"}:
            self._node("pre").append(token.content.removesuffix("\n"))
        elif token.type == "code_inline":
            self._node("code").append(token.content)
        else:
            self._text(token.content)

    def _node(self, kind: str, more: str | int | None = None) -> list[Any]:
        nodes: list[Any] = []
        self._open[-1][0].append([kind, nodes] if more is None else [kind, nodes, more])
        self._room -= _NODE + len(str(more or ""))
        return nodes

    def _text(self, text: str) -> None:
        self._room -= len(text)
        nodes = self._open[-1][0]
        if nodes and isinstance(nodes[-1], str):
            nodes[-1] += text
        elif text:
            nodes.append(text)


def _more(token: Token) -> str | int | None:
    first = token.attrGet("start")  # of a list that does not begin with 1
    if first is not None:
        return int(first)
    style = str(token.attrGet("style") or "")  # nothing else has one
    return style.removeprefix("text-align:") or None
