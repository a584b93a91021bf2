"""Where outcomes wait, safe on a disk, while the history itself cannot be written."""

from __future__ import annotations

import base64
import json
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.crash import crash_point
from notebook_flows.engine.ports import KeptContent
from notebook_flows.store.encoding import RowDamaged, decode, encode_body
from notebook_flows.store.filesystem import PRIVATE_FOLDER, open_private, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event


_KEPT = "kept"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spooled:
    """What a spool file says.

    Attributes:
        contents: to which the events refer, as far as it was to lie in the history.
    """

    file: Path
    run_id: str
    owner_epoch: int
    events: Sequence[Event]
    contents: Sequence[KeptContent] = ()


class Spool:
    """The file of one run: a line that says whose it is, then one line for each content, and for each event."""

    def __init__(self, store: Path, run_id: str, owner_epoch: int) -> None:
        self.file: Path | None = None
        self._store = store
        self._run_id = run_id
        self._owner_epoch = owner_epoch
        self._last_seq = 0
        self._kept: set[tuple[str, str | None]] = set()

    def keep(self, events: Sequence[Event], contents: Sequence[KeptContent] = ()) -> None:
        """Have these events and contents in the file, durably; those that are there already are not written again.

        Raises:
            OSError: neither the store's folder nor the temporary one takes them.
        """
        new = [event for event in events if event.seq > self._last_seq]
        more = [one for one in contents if (one.sha256, one.key) not in self._kept]
        if not new and not more:
            return
        try:
            if self.file is not None:
                _write(self.file, _contents(more) + _lines(new), os.O_APPEND)
            else:
                self.file = self._begin(events, contents)
        except OSError:
            if self.file is None:
                raise
            elsewhere = self._begin(events, contents)
            self.drop()
            self.file = elsewhere
        self._last_seq = new[-1].seq if new else self._last_seq
        self._kept.update((one.sha256, one.key) for one in contents)
        crash_point("store.spooled")

    def drop(self) -> None:
        """Remove the file: the history has its events, or another file has."""
        if self.file is not None:
            with suppress(OSError):  # it will be found told already, at the next start
                self.file.unlink(missing_ok=True)
        self.file = None
        self._last_seq = 0
        self._kept.clear()

    def _begin(self, events: Sequence[Event], contents: Sequence[KeptContent]) -> Path:
        refused: OSError | None = None
        for folder in spool_folders(self._store):
            file = folder / f"{self._run_id}.jsonl"
            if file == self.file:
                continue
            try:
                _make_own_folder(folder)
                head = json.dumps({"run_id": self._run_id, "owner_epoch": self._owner_epoch, "store": str(self._store)})
                _write(file, f"{head}\n{_contents(contents)}{_lines(events)}", os.O_TRUNC)
                sync_folder(folder)
            except OSError as error:
                refused = error
                with suppress(OSError):  # the folder is as good as not there; the first error says why
                    file.unlink(missing_ok=True)
            else:
                return file
        raise refused or OSError("no folder for the spool")


def _lines(events: Sequence[Event]) -> str:
    return "".join([f"[{event.seq},{encode_body(event)}]\n" for event in events])


def _contents(contents: Sequence[KeptContent]) -> str:
    """A line for each: marked by its first value, where an event has its number."""
    return "".join(
        json.dumps([_KEPT, sha256, None if content is None else base64.b64encode(content).decode(), key, found]) + "\n"
        for sha256, content, key, found in contents
    )


def _content_from(told: list[Any]) -> KeptContent:
    _, sha256, content, key, found = told
    return KeptContent(sha256, None if content is None else base64.b64decode(content), key, found)


def _write(file: Path, text: str, flag: int) -> None:
    descriptor = open_private(file, os.O_WRONLY | flag)
    try:
        left = memoryview(text.encode("ascii"))
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def spool_folders(store: Path) -> list[Path]:
    """Where spools of this history may be: beside it, else in the temporary folder."""
    import tempfile

    mark = zlib.crc32(os.path.realpath(store).encode("utf-8", "surrogateescape"))
    return [store.parent / "spool", Path(tempfile.gettempdir()) / f"notebook_flows-{os.getuid()}-{mark:08x}"]


def _make_own_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
    except FileExistsError:
        if not _is_own(folder):
            raise
    else:
        folder.chmod(PRIVATE_FOLDER)


def _is_own(folder: Path) -> bool:
    """Nobody else may have put something into the folder: its files are believed."""
    import stat

    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def read_spools(store: Path) -> list[Spooled]:
    """All spools of this history. What a kill has cut off in the middle of a line was never acknowledged."""
    found = []
    for folder in spool_folders(store):
        if _is_own(folder):
            found += [spooled for file in sorted(folder.glob("*.jsonl")) if (spooled := _read(file)) is not None]
    return found


def _read(file: Path) -> Spooled | None:
    events: list[Event] = []
    contents: list[KeptContent] = []
    try:
        with file.open(encoding="ascii", errors="replace") as lines:
            head = json.loads(lines.readline())
            run_id, owner_epoch = str(head["run_id"]), int(head["owner_epoch"])
            for line in lines:
                if not line.endswith("\n"):
                    break
                told = json.loads(line)
                if told[0] == _KEPT:
                    contents.append(_content_from(told))
                    continue
                seq, body = told
                events += decode([(seq, json.dumps(body))])
    except (OSError, ValueError, KeyError, TypeError, RowDamaged):
        if not events:
            return None
    return Spooled(file=file, run_id=run_id, owner_epoch=owner_epoch, events=events, contents=contents)
