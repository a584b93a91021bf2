"""Notebooks at addresses, such as ``s3://bucket/in.ipynb``: read from there, and written to there.

A run works on files of this machine: an input is fetched first, an output is written to a file here and sent from there,
whole each time, now and then while the run goes on and at its end. S3 we ask ourselves, for boto3 would wait minutes for a
server that hangs; all other addresses are left to papermill's handlers, those of its plug-ins included.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import re
import shutil
import tempfile
import threading
import warnings
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows import s3
from notebook_flows.notebook.errors import NotebookError, NotebookNotFound, OutputError
from notebook_flows.notebook.names import address_of, addresses
from notebook_flows.notebook.saving import Saver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEND_EVERY_S = 30.0
REST_FACTOR = 10
"""After a sending, this many times its duration pass before the next."""
_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+)://")
_WRITTEN = (".ipynb", ".json", ".html", ".htm", ".log")
_UP = re.compile(r"(^|/)\.{1,2}(/|$)")


class _Staging:
    """The folder of this process with what was fetched and what is to be sent; it goes when the process ends.

    Attributes:
        unsent: files whose sending has failed; they stay.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.unsent: set[Path] = set()
        self._count = 0
        self._lock = threading.Lock()

    def place(self, kind: str) -> Path:
        """A new folder in it."""
        with self._lock:
            if self.folder is None:
                self.folder = Path(tempfile.mkdtemp(prefix="notebook_flows-staging-")).resolve()
                atexit.register(self.clear)
            self._count += 1
            made = self.folder / kind / str(self._count)
        made.mkdir(parents=True)
        return made

    def clear(self) -> None:
        """Remove it, unless there is something in it that was not sent."""
        if self.folder is not None and not self.unsent:
            shutil.rmtree(self.folder, ignore_errors=True)


_staging = _Staging()
_outgoing: dict[str, Path] = {}


def is_address(text: object) -> bool:
    r"""Whether it is an address, not a path of this machine.

    >>> is_address("s3://bucket/in.ipynb"), is_address("C:\\in.ipynb"), is_address("out/in.ipynb")
    (True, False, False)
    """
    return _ADDRESS.match(str(text)) is not None


# -- in ------------------------------------------------------------------------------------------------------------


def fetched(address: str) -> Path:
    """The file here with the content of an address.

    Raises:
        NotebookNotFound: there is nothing.
        NotebookError: it cannot be read.
    """
    name = address.partition("?")[0].rstrip("/").rpartition("/")[2]
    content = read(address)
    path = _staging.place("in") / (re.sub(r"[^\w.\- ]+", "_", name) or "notebook.ipynb")
    path.write_bytes(content)
    addresses[path] = address
    return path


def read(address: str) -> bytes:
    """The content of an address.

    Raises:
        NotebookNotFound: there is nothing.
        NotebookError: it cannot be read.
    """
    where = _s3_parts(address, NotebookError)
    try:
        if where is not None:
            content: bytes = s3.client_for(address).get_object(Bucket=where[0], Key=where[1])["Body"].read()
            return content
        return str(_by_papermill("read", address)).encode()
    except Exception as error:  # whatever boto3, papermill and its plug-ins raise
        if where is not None and s3.is_missing(error):
            raise NotebookNotFound(address, "does not exist.") from None
        raise NotebookError(address, f"cannot be read: {_reason(error, where)}.") from error


# -- out -----------------------------------------------------------------------------------------------------------


def outgoing(address: str) -> Path:
    """The file here, or the folder if a slash is its end, from which an output goes to an address; may be a template.

    Raises:
        OutputError: nothing can be written there.
    """
    scheme, _, rest = address.partition("://")
    if _UP.search(rest) or not rest.strip("/"):
        raise OutputError(address, "is no address that can be written to.")
    if not rest.endswith("/") and not rest.lower().endswith(_WRITTEN):
        raise OutputError(
            address, "cannot be written: give a name that ends like .ipynb, or a folder, that ends like /."
        )
    bucket, slash, key = rest.partition("/") if "/" in rest else ("", "", rest)
    root = f"{scheme}://{bucket}{slash}"
    if root not in _outgoing:
        _outgoing[root] = _staging.place("out")
        addresses[_outgoing[root]] = root
    path = _outgoing[root].joinpath(*filter(None, key.split("/")))
    if not set(rest) & set("{}"):  # the folders of a template are made when it is filled in
        (path if rest.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    return path


def check_writable(address: str, source: str | None) -> None:
    """Find out before anything runs what would keep an output from being sent, as far as that can be known.

    Raises:
        OutputError: it cannot be written, or is the input.
    """
    if source == address:
        raise OutputError(address, "is the input as well; an input is never overwritten. Choose another name.")
    where = _s3_parts(address, OutputError)
    if where is None:
        return
    try:
        s3.client_for(address).head_bucket(Bucket=where[0])
    except Exception as error:
        if s3.code_of(error) in {"403", "AccessDenied"}:
            return  # who may write need not be allowed to look
        reason = f"there is no bucket {where[0]!r}" if s3.is_missing(error) else _reason(error, where)
        raise OutputError(address, f"cannot be written: {reason}.") from error


def send(path: Path) -> None:
    """Write a file that is to go to an address there; readers see the old content or the new, never a part.

    Raises:
        OutputError: it cannot be written; the file here stays.
    """
    address = address_of(path)
    assert address is not None
    where = _s3_parts(address, OutputError)
    try:
        if where is not None:
            kind = "text/html" if path.suffix.lower() in {".html", ".htm"} else "application/x-ipynb+json"
            s3.client_for(address).put_object(Bucket=where[0], Key=where[1], Body=path.read_bytes(), ContentType=kind)
        else:
            _by_papermill("write", path.read_text(encoding="utf-8"), address)
    except Exception as error:  # as above
        _staging.unsent.add(path)
        raise OutputError(address, f"cannot be written: {_reason(error, where)}. It is kept in {path}.") from error
    _staging.unsent.discard(path)


class SendingSaver(Saver):
    """Saves a changing file here, and sends it to its address: now and then, and for the last time when it finishes.

    Args:
        path: of the file here; it is replaced, never changed.
        pieces: as for `Saver`.
        every_s: how long to rest between two sendings, at least.
    """

    def __init__(self, path: Path, pieces: Callable[[], Iterable[bytes]], *, every_s: float = SEND_EVERY_S) -> None:
        super().__init__(path, pieces)
        self._every_s = every_s
        self._sent: object = None
        self._stops_sending = threading.Event()
        self._sender = threading.Thread(target=self._send_now_and_then, name="notebook-flows-sender", daemon=True)

    def start(self) -> None:
        """As of `Saver`."""
        super().start()
        self._sender.start()

    def stop(self) -> None:
        """Save and send no more."""
        self._stops_sending.set()
        if self._sender.is_alive():
            self._sender.join()
        super().stop()

    def finish(self) -> None:
        """Save and send for the last time, the logs of cells that have printed too much for a notebook included."""
        super().finish()
        send(self.path)
        for log in sorted(self.path.parent.glob(f"{glob.escape(self.path.stem)}.cell-*.log")):
            send(log)

    def _send_now_and_then(self) -> None:
        rest_s = self._every_s
        while not self._stops_sending.wait(rest_s):
            began_s = monotonic()
            with contextlib.suppress(OutputError):  # tried again; the last sending decides, and tells
                self._send_if_changed()
            rest_s = max(self._every_s, REST_FACTOR * (monotonic() - began_s))

    def _send_if_changed(self) -> None:
        facts = self.path.stat()
        version = facts.st_mtime_ns, facts.st_ino
        if version != self._sent:
            send(self.path)
            self._sent = version


# -- both ----------------------------------------------------------------------------------------------------------


def _s3_parts(address: str, wrong: type[NotebookError]) -> tuple[str, str] | None:
    """Bucket and key, where we ask S3 ourselves; None: papermill has a handler for it."""
    if not address.startswith("s3://") or _has_other_handler():
        return None
    where = s3.parts_of(address)
    if where is None or not where[1]:
        raise wrong(address, "is no address of a notebook: it is s3://BUCKET/KEY.")
    return where


def _has_other_handler() -> bool:
    """Whether somebody has given papermill another handler for S3 than its own."""
    import sys

    iorw = sys.modules.get("papermill.iorw")
    if iorw is None:
        from importlib.metadata import entry_points

        return any(one.name.startswith("s3") for one in entry_points(group="papermill.io"))
    first = next((handler for scheme, handler in iorw.papermill_io._handlers if "s3://".startswith(scheme)), None)
    return first is not None and first is not iorw.S3Handler


def _by_papermill(verb: str, *arguments: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of names without the ending that it likes
        from papermill.iorw import papermill_io

        return getattr(papermill_io, verb)(*arguments)


def _reason(error: Exception, where: tuple[str, str] | None) -> str:
    if where is not None and not isinstance(error, s3.NoBoto3):
        return s3.reason_of(error, where[0])
    first = next(iter(str(error).strip().splitlines()), "")
    told = first if isinstance(error, s3.NoBoto3) else f"{type(error).__name__}: {first}"
    return told.rstrip(".: ")
