"""A history on a server: who may come in, what a killed server costs, and who is told dead."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from store_bench import BEGUN, begun, info, line, run_is, task_is
from store_benches import FarPostgresBench, PostgresBench, bench_of
from store_processes import heard, outcome, start

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StaleOwnerError, StoreCorrupt, StoreError, StoreUnavailable, StoreVersionError
from notebook_flows.store import patience, serverplace
from notebook_flows.store.postgres import PostgresEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store_server import Server


@pytest.fixture
def bench(tmp_path: Path, server: Server) -> Iterator[PostgresBench]:
    with bench_of(PostgresBench, tmp_path, server) as bench:
        yield bench


@pytest.fixture
def far(tmp_path: Path, server: Server) -> Iterator[FarPostgresBench]:
    with bench_of(FarPostgresBench, tmp_path, server) as bench:
        yield bench


def statement(bench: PostgresBench, text: str) -> Any:
    """Say something to the bench's schema, past its history."""
    schema = bench.url.rpartition("=")[2]
    with psycopg.connect(bench.url.partition("?")[0], options=f"-csearch_path={schema}") as connection:
        answer = connection.execute(text)  # type: ignore[call-overload]
        return answer.fetchall() if answer.description else None


# Who may come in


def refusal(url: str, home: Path, kind: type[StoreError] = StoreUnavailable) -> str:
    """What is told to who wants to begin a run, and to who wants to look."""
    log = PostgresEventLog(url, home)
    told = []
    for act in (lambda: log.begin(info()), log.runs):
        with pytest.raises(kind) as error:
            act()
        told.append(str(error.value))
    log.close()
    assert "right:" not in "".join(told)
    assert "right%3A" not in "".join(told)
    assert "wrong-pw" not in "".join(told)
    assert "\n" not in "".join(told)
    return told[0]


def test_a_wrong_password_is_told(tmp_path: Path, server: Server) -> None:
    told = refusal(server.url(password="wrong-pw"), tmp_path)

    assert told.startswith(f"PostgreSQL lets nobody in at postgresql://keeper@127.0.0.1:{server.port}/postgres: ")
    assert told.endswith("or the password into ~/.pgpass.")


def test_an_unknown_user_is_told_the_same(tmp_path: Path, server: Server) -> None:
    assert refusal(server.url(user="nobody_knows"), tmp_path).startswith("PostgreSQL lets nobody in at ")


def test_a_database_that_is_not_there_is_told(tmp_path: Path, server: Server) -> None:
    told = refusal(server.url(database="nosuch"), tmp_path)

    assert told.endswith("/nosuch: there is no such database. Make it: createdb nosuch")


def test_a_server_that_is_down_is_told(tmp_path: Path, server: Server) -> None:
    told = refusal(server.url().replace(f":{server.port}/", ":1/"), tmp_path)

    assert told.startswith("The server of postgresql://keeper@127.0.0.1:1/postgres cannot be reached: ")


def test_a_user_who_may_not_make_tables_is_told(tmp_path: Path, server: Server) -> None:
    server.execute("DROP ROLE IF EXISTS guest")
    server.execute("CREATE ROLE guest LOGIN PASSWORD 'g'")
    log = PostgresEventLog(server.fresh_url().replace("keeper:right%3Ap%40ss", "guest:g"), tmp_path)

    with pytest.raises(StoreUnavailable, match=r"may not do what a history needs: permission denied.* Grant it CREATE"):
        log.begin(info())

    assert log.runs() == []
    log.close()


def test_a_read_only_server_can_be_looked_at(tmp_path: Path, server: Server, bench: PostgresBench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([run_is(S.SUCCESS, 5)])
    run_log.close()
    server.execute("DROP ROLE IF EXISTS visitor")
    server.execute("CREATE ROLE visitor LOGIN SUPERUSER PASSWORD 'v'")
    server.execute("ALTER ROLE visitor SET default_transaction_read_only = on")
    log = PostgresEventLog(bench.url.replace("keeper:right%3Ap%40ss", "visitor:v"), tmp_path / "visitor")

    with pytest.raises(StoreUnavailable, match="is read-only here: it can be looked at, but nothing can run"):
        log.begin(info())

    assert log.run(run_id).state is S.SUCCESS
    log.close()


@pytest.mark.parametrize(
    ("harm", "kind", "told"),
    [
        ("UPDATE about SET value = '99'", StoreVersionError, "newer notebook_flows .history version 99"),
        ("UPDATE about SET value = 'x'", StoreCorrupt, "does not say its version"),
        ("DROP TABLE run", StoreCorrupt, "are no history of notebook_flows, or were changed by hand"),
    ],
)
def test_what_is_newer_or_was_harmed_is_left_alone(
    bench: PostgresBench, harm: str, kind: type[StoreError], told: str
) -> None:
    begun(bench)
    bench.log._writer.close()
    statement(bench, harm)
    other = bench.another("other")

    for act in (lambda: other.begin(info()), other.runs):
        with pytest.raises(kind, match=told):
            act()

    other.close()


def test_a_run_under_way_is_refused_when_a_newer_version_has_upgraded_under_its_feet(bench: PostgresBench) -> None:
    run_id, run_log = begun(bench)
    statement(bench, "UPDATE about SET value = '99'")
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreVersionError, match="newer notebook_flows"):
        run_log.flush()

    statement(bench, "UPDATE about SET value = '1'")
    assert bench.seen_by_others(run_id) == BEGUN


def test_a_url_that_cannot_be_understood_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is no URL that can be understood") as told:
        PostgresEventLog("postgresql://me:secret@host:port/x", tmp_path)

    assert "secret" not in str(told.value)


def test_many_who_come_first_at_once_make_one_history(bench: PostgresBench) -> None:
    logs = [bench.another(f"home{number}") for number in range(4)]
    errors: list[Exception] = []

    def begin(log: Any) -> None:
        try:
            run_log = log.begin(info())
            run_log.append(BEGUN)
            run_log.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=begin, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(bench.log.runs()) == 4
    for log in logs:
        log.close()


# A server that is killed


def test_a_server_killed_and_restarted_in_the_middle_loses_nothing(server: Server, bench: PostgresBench) -> None:
    run_id, run_log = begun(bench)
    rests: list[bool] = []

    def rest(seconds: float) -> None:
        bench.clock.turn(seconds)
        rests.append(run_log.may_start())
        if len(rests) == 2:
            server.start()

    bench.log._writer._rest = rest
    server.kill()
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.add_log_lines([line("in between")])

    run_log.flush()
    run_log.append([task_is(S.RUNNING, 6, 2)])
    run_log.flush()

    assert rests[:2] == [False, False]
    assert run_log.may_start()
    assert bench.seen_by_others(run_id) == [*BEGUN, task_is(S.SUCCESS, 5, 1), task_is(S.RUNNING, 6, 2)]
    assert [row.message for row in bench.log.log_lines(run_id)] == ["in between"]
    assert list(bench.log.path.parent.glob("spool/*")) == []
    assert bench.log.sweep() == []


def test_a_server_that_stays_away_is_given_up_after_a_minute_and_the_spool_is_read_later(
    server: Server, bench: PostgresBench
) -> None:
    run_id, run_log = begun(bench)
    began_s = bench.clock.monotonic_s()
    server.kill()
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreUnavailable, match=r"cannot be reached: .*waits in .* and is read at the next start"):
        run_log.close()
    server.start()
    again = bench.another("here")
    dead = again.sweep()

    assert 60 <= bench.clock.monotonic_s() - began_s <= 65
    assert dead == [run_id]
    assert [event.state for event in again.read(run_id)][4:] == [S.SUCCESS, S.NOT_RUN, S.CRASHED]
    assert list(again.path.parent.glob("spool/*")) == []
    again.close()


def test_a_run_whose_row_a_killed_server_has_forgotten_is_recorded_whole(server: Server, bench: PostgresBench) -> None:
    """Its row is committed without waiting for the server's disk, its number with it."""
    facts = info()
    run_log = bench.log.begin(facts)
    statement(bench, "DELETE FROM run")
    statement(bench, "DELETE FROM slugs")
    statement(bench, "ALTER TABLE run ALTER COLUMN run_no RESTART WITH 1")
    other = info()
    bench.another("there").begin(other)  # gets the same number

    run_log.append([*BEGUN])
    run_log.add_log_lines([line("told")])
    run_log.flush()

    assert bench.log.read(facts.run_id) == BEGUN
    assert [row.message for row in bench.log.log_lines(facts.run_id)] == ["told"]
    assert bench.log.read(other.run_id) == []
    assert bench.log.check() == []


@pytest.fixture
def hung(server: Server) -> Iterator[Server]:
    """A server that may be paused; it goes on after the test in any case."""
    yield server
    server.resume()


def test_a_server_that_hangs_is_an_outage_that_passes(
    hung: Server, bench: PostgresBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, run_log = begun(bench)
    monkeypatch.setattr(patience, "SILENCE_S", 0.3)
    bench.log.place._engine.dispose()
    rests: list[bool] = []

    def rest(seconds: float) -> None:
        bench.clock.turn(seconds)
        rests.append(run_log.may_start())
        hung.resume()

    bench.log._writer._rest = rest
    hung.pause()
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.flush()

    assert rests[0] is False
    assert run_log.may_start()
    assert bench.seen_by_others(run_id) == [*BEGUN, task_is(S.SUCCESS, 5, 1)]
    assert list(bench.log.path.parent.glob("spool/*")) == []


def test_who_looks_at_a_server_that_hangs_is_told_so(
    hung: Server, bench: PostgresBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = begun(bench)
    looking = PostgresEventLog(f"{bench.url}&connect_timeout=2", bench.folder / "here")
    looking.run(run_id)  # by a session that stays open
    monkeypatch.setattr(patience, "SILENCE_S", 0.3)
    hung.pause()

    with pytest.raises(StoreUnavailable, match=r"The server of .* cannot be reached: "):
        looking.run(run_id)

    hung.resume()
    assert looking.run(run_id).run_id == run_id
    looking.close()


def test_a_server_that_hangs_from_the_beginning_is_told_in_time(hung: Server, tmp_path: Path) -> None:
    log = PostgresEventLog(f"{hung.fresh_url()}&connect_timeout=2", tmp_path)
    hung.pause()

    with pytest.raises(StoreUnavailable, match=r"The server of .* cannot be reached: "):
        log.begin(info())
    hung.resume()
    log.close()


def test_a_standby_can_be_looked_at_and_runs_are_refused(server: Server, bench: PostgresBench, tmp_path: Path) -> None:
    run_id, run_log = begun(bench)
    run_log.append([run_is(S.SUCCESS, 5)])
    run_log.close()
    bench.log.close()
    server.kill()
    signal_file = server.data / "standby.signal"
    signal_file.touch()
    try:
        server.start()
        looking = bench.another("standby")

        assert looking.run(run_id).state is S.SUCCESS
        with pytest.raises(StoreUnavailable, match="is read-only here: it can be looked at, but nothing can run"):
            looking.begin(info())
        with pytest.raises(StoreUnavailable, match="is read-only here"):
            looking.request(run_id, "cancel")
        looking.close()
    finally:
        server.kill()
        signal_file.unlink()
        server.start()

    assert bench.another("after").run(run_id).state is S.SUCCESS


def take_all_sessions(server: Server, taken: list[Any]) -> None:
    """Until the server has none left."""
    with suppress(psycopg.OperationalError):
        while len(taken) < 200:
            taken.append(psycopg.connect(server.url()))


def test_a_server_without_a_free_session_is_told_and_a_run_under_way_goes_on(
    server: Server, bench: PostgresBench, tmp_path: Path
) -> None:
    run_id, run_log = begun(bench)
    taken: list[Any] = []
    newcomer = PostgresEventLog(server.fresh_url(), tmp_path / "newcomer")
    try:
        take_all_sessions(server, taken)

        with pytest.raises(StoreUnavailable, match="has no connection left: .* Raise its max_connections"):
            newcomer.begin(info())
        run_log.append([task_is(S.SUCCESS, 5, 1)])
        run_log.flush()
    finally:
        for one in taken:
            one.close()

    assert bench.seen_by_others(run_id) == [*BEGUN, task_is(S.SUCCESS, 5, 1)]
    deadline_s = time.monotonic() + 30
    while True:  # the server takes a moment to let sessions go
        try:
            newcomer.begin(info()).close()
        except StoreUnavailable:
            assert time.monotonic() < deadline_s
        else:
            break
    newcomer.close()


def test_after_a_restart_the_server_knows_again_who_lives(server: Server, far: FarPostgresBench) -> None:
    run_id, run_log = begun(far)
    server.kill()
    server.start()
    with pytest.raises(StoreError):
        far.log._writer.call(lambda connection: connection.execute("SELECT 1"))  # the session has ended with the server

    far.log._writer.call(lambda connection: connection.execute("SELECT 1"))

    assert far.far.sweep() == []
    assert far.log.run(run_id).state is S.RUNNING
    run_log.close()


def test_a_lost_acknowledgement_is_no_second_telling(bench: PostgresBench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, run_log = begun(bench)
    lost: list[bool] = []

    def lose(name: str) -> None:
        if name == "store.commit.after" and not lost:
            lost.append(True)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(serverplace, "crash_point", lose)
    told = [task_is(S.SUCCESS, 5, 1), task_is(S.FAILED, 6, 2, message="ü 𝄞 \\u0000", x="é" * 5000)]
    run_log.add_log_lines([line("once")])
    run_log.append(told)

    run_log.flush()

    assert lost
    assert bench.seen_by_others(run_id) == [*BEGUN, *told]
    assert len(bench.log.log_lines(run_id)) == 1


# Who lives


def test_a_killed_process_is_told_crashed(bench: PostgresBench, tmp_path: Path) -> None:
    child = start("hold", bench.url, TEST_HOME=str(tmp_path / "here"))
    assert child.stdout is not None
    assert child.stderr is not None
    run_id = heard(child.stdout.readline())["run_id"]
    alive = bench.log.sweep()

    child.kill()
    child.wait()
    for stream in (child.stdout, child.stderr):
        stream.close()
    dead = bench.log.sweep()

    assert (alive, dead) == ([], [run_id])
    assert bench.log.run(run_id).state is S.CRASHED
    assert bench.log.check() == []


def test_what_a_killed_process_was_told_to_be_recorded_is_there(bench: PostgresBench, tmp_path: Path) -> None:
    child = start(
        "run", bench.url, 400, TEST_HOME=str(tmp_path / "here"), NOTEBOOK_FLOWS_CRASH_AT="store.commit.before:20"
    )

    code, said, _ = outcome(child)

    bench.log.sweep()
    acknowledged = max(one.get("acknowledged", 0) for one in said)
    assert code == -9
    assert acknowledged > 3
    assert bench.log.run(said[0]["run_id"]).last_seq >= acknowledged
    assert bench.log.check() == []


@pytest.mark.parametrize(
    ("seen_ago_s", "server_up_s", "lock_is_free", "is_dead"),
    [
        (200, 500, True, True),
        (200, 500, False, False),
        (50, 500, True, False),
        (200, 50, True, False),
    ],
)
def test_from_afar_a_run_is_dead_when_it_is_silent_and_its_session_has_ended(
    far: FarPostgresBench,
    monkeypatch: pytest.MonkeyPatch,
    seen_ago_s: int,
    server_up_s: int,
    lock_is_free: bool,
    is_dead: bool,
) -> None:
    run_id, run_log = begun(far)
    if lock_is_free:
        far.lose_owner(run_log)
    far.far.place.silence_s = serverplace.SILENCE_S
    now_us = serverplace._NOW_US
    second = "* 1000000::bigint"
    heard = (
        f"SELECT {now_us} - {seen_ago_s} {second}, {now_us} - {server_up_s} {second}, {now_us}, "
        "(SELECT count(*) FROM presence WHERE owner = ?)"
    )
    monkeypatch.setattr(serverplace, "_HEARD", heard.rpartition(",")[0] + " WHERE ? <> ''")

    dead = far.far.sweep()

    assert dead == ([run_id] if is_dead else [])


def test_a_process_with_an_open_run_says_that_it_lives(far: FarPostgresBench) -> None:
    _, run_log = begun(far)
    statement(far, "UPDATE presence SET seen_us = 0")
    far.log.place._beaten_s = None  # as if ten seconds had gone by

    far.log._writer.call(lambda connection: None)
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.flush()

    assert statement(far, "SELECT count(*) FROM presence WHERE seen_us > 0") == [(1,)]
    run_log.close()


def test_a_stale_owner_is_refused_across_machines(far: FarPostgresBench) -> None:
    run_id, run_log = begun(far)
    far.lose_owner(run_log)
    far.far.sweep()
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StaleOwnerError):
        run_log.flush()

    assert far.log.run(run_id).state is S.CRASHED


def test_no_request_is_missed_between_two_that_are_written_at_once(bench: PostgresBench) -> None:
    run_id, run_log = begun(bench)
    other = bench.another("other")
    asked = threading.Event()
    go_on = threading.Event()

    def slowly(connection: Any) -> None:
        connection.execute("SELECT 1 FROM run WHERE run_id = ? FOR UPDATE", (run_id,))
        asked.set()
        go_on.wait(10)
        connection.execute(
            "INSERT INTO request (run_no, at_us, verb, payload) VALUES (?, 1, 'first', '{}')", (run_log.run_no,)
        )

    first = threading.Thread(target=bench.log._writer.call, args=(slowly,))
    first.start()
    asked.wait(10)
    second = threading.Thread(target=other.request, args=(run_id, "second"))
    second.start()
    second.join(0.2)
    between = [request.verb for request in bench.log.new_reader().requests(run_log.run_no, after=0)]
    go_on.set()
    first.join()
    second.join()

    assert between == []
    assert [one.verb for one in bench.log.new_reader().requests(run_log.run_no, after=0)] == ["first", "second"]
    other.close()


def test_rows_that_were_changed_by_hand_are_found_and_put_right(bench: PostgresBench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([task_is(S.FAILED, 5, 1, message="oh"), run_is(S.FAILED, 6)])
    run_log.close()
    statement(bench, "UPDATE task_run SET state = 10 WHERE node = 1")

    found = bench.log.check()
    bench.log.rebuild_projections(run_id)

    assert found == [
        f"Run {run_id}: its rows do not say what its events say; rebuild_projections({run_id!r}) puts it right."
    ]
    assert bench.log.check() == []


def test_a_history_describes_itself_without_its_password(bench: PostgresBench) -> None:
    before = bench.log.describe()
    begun(bench)

    after = bench.log.describe()

    assert before.endswith("begun with the first run")
    assert "PostgreSQL 1" in after
    assert "p%40ss" not in before + after


def test_an_idle_run_is_known_to_live_also_after_a_restart(
    server: Server, far: FarPostgresBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serverplace, "BEAT_S", 0.0)
    far.log.place.look_every_s = 0.02
    run_id, run_log = begun(far)
    server.kill()
    server.start()
    statement(far, "UPDATE presence SET seen_us = 0")

    deadline_s = time.monotonic() + 30
    while statement(far, "SELECT max(seen_us) FROM presence") == [(0,)] and time.monotonic() < deadline_s:
        time.sleep(0.01)

    assert statement(far, "SELECT max(seen_us) > 0 FROM presence") == [(True,)]
    assert far.far.sweep() == []
    assert far.log.run(run_id).state is S.RUNNING
    run_log.close()
