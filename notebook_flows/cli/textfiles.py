"""Files with texts that options name: read as far as such a text can be long, so that /dev/zero fills no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_JSON = 100_000_000
LONGEST_OF_LINES = 1_000_000
"""Of variables, or of a secret."""


def text_of_file(path: Path, *, most_bytes: int) -> str:
    """The text of a file or of a pipe, with line breaks as Python has them.

    Raises:
        ValueError: it cannot be read, is no text or longer than ``most_bytes``; says why, for the end of a sentence.
    """
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, RuntimeError, ValueError) as error:  # "~nobody"; a NUL in the name
        raise ValueError(getattr(error, "strerror", None) or str(error)) from None
    if len(content) > most_bytes:
        raise ValueError(f"it has more than {most_bytes // 1_000_000:,} MB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
