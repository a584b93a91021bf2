"""What places for results promise: one suite for folders and buckets, which catches those that break a promise."""

from __future__ import annotations

import errno
import inspect
import os
import pickle
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from blob_places import BROKEN, BlobBucket, BlobFolder, name_of

from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store import blob_bucket, blob_folder
from notebook_flows.store.blobs import Blobs, NoSuchBlob
from notebook_flows.store.keeping import blobs_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield blobs_at(tmp_path / "blobs")
        return
    import boto3

    request.getfixturevalue("aws")
    bucket = f"bucket-{name_of(str(tmp_path).encode())[:16]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield blobs_at(f"s3://{bucket}/some prefix/of é")


# -- promises, for every place ------------------------------------------------------------------------------------------


def gives_back_what_it_was_given(blobs: Blobs) -> None:
    for content in (b"", b"x", bytes(range(256)) * 1000):
        assert blobs.put(name_of(content), content)
        assert blobs.get(name_of(content)) == content
        assert blobs.size_of(name_of(content)) == len(content)


def says_whether_it_is_new(blobs: Blobs) -> None:
    assert blobs.put(name_of(b"1"), b"1") is True
    assert blobs.put(name_of(b"1"), b"1") is False


def says_what_is_not_there(blobs: Blobs) -> None:
    with pytest.raises(NoSuchBlob, match="any more"):
        blobs.get(name_of(b"never"))
    assert blobs.size_of(name_of(b"never")) is None
    assert blobs.remove(name_of(b"never")) is False


def forgets_what_is_removed(blobs: Blobs) -> None:
    blobs.put(name_of(b"1"), b"1")

    assert blobs.remove(name_of(b"1")) is True

    with pytest.raises(NoSuchBlob):
        blobs.get(name_of(b"1"))


def is_not_removed_by_who_thinks_it_unused_if_it_was_used_since(blobs: Blobs) -> None:
    name = name_of(b"1")
    blobs.put(name, b"1")

    assert blobs.remove(name, unused_since_us=1_000_000) is False
    assert blobs.get(name) == b"1"
    assert [one.name for one in blobs.all()] == [name]

    assert blobs.remove(name, unused_since_us=10**18) is True
    assert blobs.size_of(name) is None
    assert blobs.remove(name, unused_since_us=10**18) is False


def says_its_size_to_who_is_about_to_use_it(blobs: Blobs) -> None:
    blobs.put(name_of(b"123"), b"123")

    assert blobs.use(name_of(b"123")) == 3
    assert blobs.use(name_of(b"never")) is None
    assert blobs.get(name_of(b"123")) == b"123"


def lists_all_that_is_there(blobs: Blobs) -> None:
    contents = [f"{number}".encode() * number for number in range(1, 30)]
    for content in contents:
        blobs.put(name_of(content), content)

    found = {one.name: one.size_bytes for one in blobs.all()}

    assert found == {name_of(content): len(content) for content in contents}
    assert all(one.used_us > 1_600_000_000_000_000 for one in blobs.all())


def lists_nothing_where_nothing_is(blobs: Blobs) -> None:
    assert list(blobs.all()) == []


def takes_no_other_names(blobs: Blobs) -> None:
    for name in ("", "..", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "/", "a/../" + "b" * 59, "é" * 64):
        with pytest.raises(StoreError, match="names no result"):
            blobs.put(name, b"x")
        with pytest.raises(StoreError, match="names no result"):
            blobs.get(name)


def travels_to_other_processes(blobs: Blobs) -> None:
    blobs.put(name_of(b"1"), b"1")

    assert pickle.loads(pickle.dumps(blobs)).get(name_of(b"1")) == b"1"


def takes_many_writers_of_one_content(blobs: Blobs) -> None:
    content = b"x" * 100_000
    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(lambda _: blobs.put(name_of(content), content), range(16)))

    assert any(new)
    assert blobs.get(name_of(content)) == content
    assert [one.name for one in blobs.all()] == [name_of(content)]


PROMISES: list[Callable[[Blobs], None]] = [
    gives_back_what_it_was_given,
    says_whether_it_is_new,
    says_what_is_not_there,
    forgets_what_is_removed,
    is_not_removed_by_who_thinks_it_unused_if_it_was_used_since,
    says_its_size_to_who_is_about_to_use_it,
    lists_all_that_is_there,
    lists_nothing_where_nothing_is,
    takes_no_other_names,
    travels_to_other_processes,
    takes_many_writers_of_one_content,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.__name__)
def test_every_place_keeps_the_promise(promise: Callable[[Blobs], None], blobs: Blobs) -> None:
    promise(blobs)


# -- folders ---------------------------------------------------------------------------------------------------------------


def leaves_nothing_half_written(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    """Whichever of the calls to the system fails, the name has the whole content or does not exist."""
    content = b"content" * 1000
    for call in ("fsync", "replace", "fdopen"):
        with patch.context() as inner:
            inner.setattr(os, call, _fails_with(errno.ENOSPC))
            with pytest.raises(StoreUnavailable, match="No space left"):
                blobs.put(name_of(content), content)
        assert list(blobs.all()) == []
        with pytest.raises(NoSuchBlob):
            blobs.get(name_of(content))


def mends_what_was_cut_short(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    content = b"content" * 1000
    blobs.put(name_of(content), content)
    path = blobs.folder / name_of(content)[:2] / name_of(content)
    path.write_bytes(content[:10])  # a power cut on a disk that lies

    blobs.put(name_of(content), content)

    assert blobs.get(name_of(content)) == content


def mends_what_was_damaged_without_a_change_of_its_size(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    content = b"content" * 1000
    blobs.put(name_of(content), content)
    blobs.path_of(name_of(content)).write_bytes(bytes(len(content)))  # a power cut that has left nothing but zeros

    blobs.put(name_of(content), content)

    assert blobs.get(name_of(content)) == content


def is_used_again_when_somebody_is_about_to_use_it(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    blobs.put(name_of(b"1"), b"1")
    os.utime(blobs.path_of(name_of(b"1")), (1, 1))

    blobs.use(name_of(b"1"))

    assert next(iter(blobs.all())).used_us > 1_000_000


def keeps_what_is_written_again_while_a_cleaning_takes_it_away(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    """Whenever in between: nobody who was told that it is kept finds it gone."""
    name = name_of(b"1")
    calls = {"rename": os.rename, "stat": os.stat, "unlink": os.unlink}
    for call, is_before in [(call, is_before) for call in calls for is_before in (True, False)]:
        blobs.put(name, b"1")
        os.utime(blobs.path_of(name), (1, 1))
        was_met = []

        def meanwhile(
            *given: Any, _call: str = call, _first: bool = is_before, _met: list[Any] = was_met, **more: Any
        ) -> Any:
            if _met or ".leaving-" not in f"{given}":
                return calls[_call](*given, **more)
            _met.append(True)
            if _first:
                blobs.put(name, b"1")
            done = calls[_call](*given, **more)
            if not _first:
                blobs.put(name, b"1")
            return done

        with patch.context() as inner:
            inner.setattr(os, call, meanwhile)
            blobs.remove(name, unused_since_us=2_000_000)

        assert was_met, call
        assert blobs.get(name) == b"1", (call, is_before)
        assert [path.name for path in blobs.path_of(name).parent.iterdir()] == [name]


def writes_anew_what_a_cleaning_takes_while_it_is_counted_as_used(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    """The system may have found the file by its name, and set the time of one that has no name any more."""
    name = name_of(b"1")
    blobs.put(name, b"1")
    os.utime(blobs.path_of(name), (1, 1))

    with patch.context() as inner:
        inner.setattr(os, "utime", lambda path: path.unlink())
        blobs.put(name, b"1")

    assert blobs.get(name) == b"1"


def is_read_while_a_cleaning_looks_at_it(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    name = name_of(b"1")
    blobs.put(name, b"1")

    blobs.path_of(name).rename(blobs.path_of(name).with_name(f".leaving-{name}"))

    assert blobs.get(name) == b"1"


def is_found_again_after_a_cleaning_that_was_killed(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    name = name_of(b"1")
    blobs.put(name, b"1")
    blobs.path_of(name).rename(blobs.path_of(name).with_name(f".leaving-{name}"))

    assert list(blobs.all()) == []  # it may go on just now

    patch.setattr(blob_folder, "LEFT_OVER_S", -1)
    list(blobs.all())
    assert [one.name for one in blobs.all()] == [name]


def clears_away_what_was_left_aside(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    blobs.put(name_of(b"1"), b"1")
    old, new = (blobs.folder / name_of(b"1")[:2] / f".writing-{which}" for which in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))

    assert [one.name for one in blobs.all()] == [name_of(b"1")]
    assert (old.exists(), new.exists()) == (False, True)


def is_for_its_owner_only(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        blobs.put(name_of(b"1"), b"1")
    finally:
        os.umask(before)

    path = blobs.folder / name_of(b"1")[:2] / name_of(b"1")
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent, blobs.folder)] == [0o600, 0o700, 0o700]


def is_used_again_when_it_is_written_again(blobs: BlobFolder, patch: pytest.MonkeyPatch) -> None:
    blobs.put(name_of(b"1"), b"1")
    os.utime(blobs.path_of(name_of(b"1")), (1, 1))

    blobs.put(name_of(b"1"), b"1")

    assert next(iter(blobs.all())).used_us > 1_000_000


def _fails_with(number: int) -> Any:
    def fail(*arguments: Any, **more: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


FOLDER_PROMISES: list[Callable[[BlobFolder, pytest.MonkeyPatch], None]] = [
    leaves_nothing_half_written,
    mends_what_was_cut_short,
    mends_what_was_damaged_without_a_change_of_its_size,
    is_used_again_when_somebody_is_about_to_use_it,
    keeps_what_is_written_again_while_a_cleaning_takes_it_away,
    writes_anew_what_a_cleaning_takes_while_it_is_counted_as_used,
    is_read_while_a_cleaning_looks_at_it,
    is_found_again_after_a_cleaning_that_was_killed,
    clears_away_what_was_left_aside,
    is_for_its_owner_only,
    is_used_again_when_it_is_written_again,
]


@pytest.mark.parametrize("promise", FOLDER_PROMISES, ids=lambda one: one.__name__)
def test_a_folder_keeps_the_promise(promise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promise(BlobFolder(tmp_path / "blobs"), monkeypatch)


@pytest.mark.parametrize("kind", BROKEN, ids=lambda one: one.__name__)
def test_a_folder_that_breaks_a_promise_is_caught(
    kind: type[BlobFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[str] = []
    for number, promise in enumerate([*PROMISES, *FOLDER_PROMISES]):
        place = kind(tmp_path / str(number))
        try:
            promise(*[place, monkeypatch][: len(inspect.signature(promise).parameters)])
        except (AssertionError, pytest.fail.Exception, StoreError, OSError):
            broken.append(promise.__name__)

    assert broken


# -- buckets that do not answer ---------------------------------------------------------------------------------------------


@contextmanager
def server_that(answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that treats each connection like this."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            open_ones.append(connection)
            answers(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for one in open_ones:
            one.close()


def hangs(connection: socket.socket) -> None:
    """Say nothing."""


def hangs_up(connection: socket.socket) -> None:
    connection.close()


def is_busy(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()


def sends_half(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nhalf")
    connection.close()


@pytest.mark.parametrize("answers", [hangs, hangs_up, is_busy, sends_half], ids=lambda one: one.__name__)
def test_a_bucket_that_does_not_answer_is_one_sentence(answers: Any, aws: str) -> None:
    with server_that(answers) as endpoint:
        blobs = BlobBucket("s3://bucket/x", endpoint=endpoint, read_timeout_s=0.2, connect_timeout_s=0.2, attempts=1)

        with pytest.raises(StoreUnavailable, match=r"Results in s3://bucket/x cannot be read: "):
            blobs.get(name_of(b"1"))
        if answers is not sends_half:  # a PUT has no body in its answer that could be half
            with pytest.raises(StoreUnavailable, match=r"Results in s3://bucket/x cannot be written: "):
                blobs.put(name_of(b"1"), b"1")


def test_a_bucket_that_is_not_there_is_named(aws: str) -> None:
    with pytest.raises(StoreError, match="there is no bucket 'nowhere-at-all'"):
        BlobBucket("s3://nowhere-at-all").put(name_of(b"1"), b"1")


def test_a_name_that_no_bucket_has_is_told_in_one_line(aws: str) -> None:
    with pytest.raises(StoreError) as told:
        BlobBucket("s3://Bad Bucket!").put(name_of(b"1"), b"1")

    assert str(told.value).endswith("cannot be written: 'Bad Bucket!' cannot be the name of a bucket.")


@pytest.mark.parametrize(("fresh_s", "conditions"), [(43_200, ["*"]), (0, ["*", None])], ids=["young", "old"])
def test_what_is_in_a_bucket_for_long_is_written_again_so_that_no_cleaning_takes_it(
    fresh_s: int, conditions: list[str | None], aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="long-lived")
    blobs = BlobBucket("s3://long-lived")
    name = name_of(f"{fresh_s}".encode())
    blobs.put(name, b"content")
    asked: list[str | None] = []
    blobs._client.meta.events.register(
        "before-parameter-build.s3.PutObject", lambda params, **_: asked.append(params.get("IfNoneMatch"))
    )
    monkeypatch.setattr(blob_bucket, "FRESH_S", fresh_s)

    assert blobs.put(name, b"content") is False

    assert asked == conditions
    assert blobs.get(name) == b"content"


def test_what_is_in_a_bucket_for_long_is_new_to_cleanings_once_somebody_is_about_to_use_it(
    aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="about-to-be-used")
    blobs = BlobBucket("s3://about-to-be-used/a b")
    blobs.put(name_of(b"1"), b"1")
    copied: list[Any] = []
    blobs._client.meta.events.register(
        "before-parameter-build.s3.CopyObject", lambda params, **_: copied.append(params["CopySource"])
    )

    blobs.use(name_of(b"1"))
    assert copied == []

    monkeypatch.setattr(blob_bucket, "FRESH_S", 0)
    assert blobs.use(name_of(b"1")) == 1
    assert len(copied) == 1
    assert blobs.get(name_of(b"1")) == b"1"


def test_what_is_damaged_in_a_bucket_is_written_again(aws: str) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="damaged-there")
    blobs = BlobBucket("s3://damaged-there")
    name = name_of(b"123")
    for damaged in (b"1", b"321"):
        boto3.client("s3").put_object(Bucket="damaged-there", Key=f"{name[:2]}/{name}", Body=damaged)

        blobs.put(name, b"123")

        assert blobs.get(name) == b"123"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(StoreError, match="s3://BUCKET/PREFIX"):
        blobs_at("s3:/bucket")
