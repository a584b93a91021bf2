"""What HTML says, as text: pages show what a task has put out as text only."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = {"script", "style", "head", "template", "title", "svg"}
_BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "hr",
    "details",
}
_CELLS = {"td", "th"}
_SAYS_NOTHING = re.compile(r"<[\w.]+( object)?( at 0x[0-9a-fA-F]+)?>")


def says_something(plain: str) -> bool:
    """Whether the plain form of an output says more than of which class it is.

    >>> says_something("   a  b"), says_something("<IPython.core.display.HTML object>")
    (True, False)
    """
    return bool(plain.strip()) and not _SAYS_NOTHING.fullmatch(plain.strip())


def text_in(html: str) -> str:
    r"""Its text, with the lines and columns of its paragraphs and tables.

    >>> text_in("<style>b {}</style><b>4</b> rows<table><tr><td>1<td>2</tr></table>")
    '4 rows\n\n1  2'
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [re.sub(r"[^\S\t]+", " ", line).strip().replace("\t", "  ") for line in "".join(reader.told).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BREAKS:
            self.told.append("\n")
        elif tag in _CELLS:
            self.told.append("\t")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BREAKS and tag != "tr":
            self.told.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.told.append(data.replace("\n", " ").replace("\t", " "))
