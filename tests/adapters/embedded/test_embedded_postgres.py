"""The embedded PostgreSQL server: its data, its socket, its lock and its log."""

import os
import signal
import stat
import subprocess
import threading
from pathlib import Path

import asyncpg
import psycopg
import pytest

from adapters.embedded import (
    EmbeddedPostgres,
    EmbeddedServerError,
    FolderNotPrivate,
    OtherMajorVersion,
    ServerAlreadyRunning,
    ServerDidNotStart,
    ServerNotInstalled,
    start_postgres,
)
from tests.adapters.embedded.observed import ends_within, listening_tcp_inodes, started_elsewhere

Row = tuple[object, ...]


def ask(server: EmbeddedPostgres, statement: str) -> Row:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return tuple(row)


def tell(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["short", "long-" + "x" * 170, "odd, näme 'and' \"quotes\""])
async def test_psycopg_and_asyncpg_connect_whatever_the_folder_is_called(
    folder: Path, binaries: Path | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    with start_postgres(folder / name, binaries=binaries) as server:
        assert ask(server, "SELECT 41 + 1") == (42,)
        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("SELECT 41 + 1") == 42
        await connection.close()
        sockets = server.sockets.path
    assert (sockets == folder / name) == (name == "short")
    assert sockets.exists() == (name == "short")


def test_a_second_start_keeps_the_cluster_and_its_data(folder: Path, binaries: Path | None) -> None:
    which = "SELECT system_identifier FROM pg_control_system()"
    with start_postgres(folder, binaries=binaries) as server:
        tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
        first = ask(server, which)
    with start_postgres(folder, binaries=binaries) as server:
        assert ask(server, which) == first
        assert ask(server, "SELECT number FROM kept") == (7,)


def test_the_settings_of_each_start_hold_on_a_reused_folder(
    folder: Path, binaries: Path | None
) -> None:
    question = """SELECT current_setting('max_connections'), current_setting('fsync'),
        current_setting('synchronous_commit'), current_setting('full_page_writes'),
        current_setting('data_checksums'), current_setting('jit'), current_setting('TimeZone')"""
    fixed = ("on", "on", "on", "on", "off", "UTC")
    with start_postgres(folder, binaries=binaries) as server:
        assert ask(server, question) == ("200", *fixed)
    with start_postgres(folder, binaries=binaries, settings={"max_connections": "20"}) as server:
        assert ask(server, question) == ("20", *fixed)


def test_letters_outside_ascii_have_case_and_trigrams(folder: Path, binaries: Path | None) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        tell(server, "CREATE EXTENSION pg_trgm")
        assert ask(
            server,
            "SELECT current_setting('server_encoding'), upper('müller'), 'MÜLLER' ILIKE 'müller',"
            " similarity('Müller', 'müller'), cardinality(show_trgm('Müller')), 'Z' < 'a'",
        ) == ("UTF8", "MÜLLER", True, 1.0, 7, True)


def test_a_killed_server_recovers_what_was_committed(folder: Path, binaries: Path | None) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
        os.kill(server.pid, signal.SIGKILL)
        with start_postgres(folder, binaries=binaries) as restarted:
            assert ask(restarted, "SELECT number FROM kept") == (7,)


def test_a_second_start_on_a_running_folder_is_refused_and_harms_nothing(
    folder: Path, binaries: Path | None
) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        with pytest.raises(ServerAlreadyRunning, match=f"pid {server.pid}") as refused:
            start_postgres(folder, binaries=binaries)
        assert refused.value.pid == server.pid
        assert ask(server, "SELECT 1") == (1,)


def test_a_server_is_found_by_its_own_lock_file_when_ours_is_gone(
    folder: Path, binaries: Path | None
) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        (folder / "postgres.lock").unlink()
        with pytest.raises(ServerAlreadyRunning) as refused:
            start_postgres(folder, binaries=binaries)
        assert refused.value.pid == server.pid
        assert ask(server, "SELECT 1") == (1,)


def test_racing_first_starts_leave_one_server(folder: Path, binaries: Path | None) -> None:
    outcomes: list[EmbeddedPostgres | EmbeddedServerError] = []

    def race() -> None:
        try:
            outcomes.append(start_postgres(folder, binaries=binaries))
        except EmbeddedServerError as error:
            outcomes.append(error)

    racers = [threading.Thread(target=race) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, EmbeddedPostgres)]
    with winner:
        losers = [outcome for outcome in outcomes if isinstance(outcome, ServerAlreadyRunning)]
        assert [loser.pid for loser in losers] == [winner.pid] * 2
        assert ask(winner, "SELECT 1") == (1,)


def test_a_lock_file_whose_number_another_program_has_now_is_no_obstacle(
    folder: Path, binaries: Path | None
) -> None:
    start_postgres(folder, binaries=binaries).stop()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as other:
        (folder / "data" / "postmaster.pid").write_text(f"{other.pid}\n{folder}/data\n1\n5432\n")
        with start_postgres(folder, binaries=binaries) as server:
            assert ask(server, "SELECT 1") == (1,)


def test_an_interrupted_initdb_is_begun_again(folder: Path, binaries: Path | None) -> None:
    unfinished = folder / "data.unfinished"
    unfinished.mkdir(parents=True)
    folder.chmod(0o700)
    (unfinished / "PG_VERSION").write_text("half")
    with start_postgres(folder, binaries=binaries) as server:
        assert ask(server, "SELECT 1") == (1,)
    assert not unfinished.exists()


def test_data_of_another_major_version_is_refused_and_left_alone(
    folder: Path, binaries: Path | None
) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        version = server.major_version
    (folder / "data" / "PG_VERSION").write_text("9\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.glob("data/**/*"))
    with pytest.raises(OtherMajorVersion, match=rf"PostgreSQL 9.* are PostgreSQL {version}"):
        start_postgres(folder, binaries=binaries)
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.glob("data/**/*")) == before


def test_the_socket_is_private_and_no_tcp_port_listens(folder: Path, binaries: Path | None) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        socket = server.sockets.path / ".s.PGSQL.5432"
        assert stat.S_ISSOCK(socket.stat().st_mode)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.sockets.path.stat().st_mode) == 0o700
        assert listening_tcp_inodes(server.pid) == set()
    assert not socket.exists()


def test_a_temporary_socket_folder_is_private_too(folder: Path, binaries: Path | None) -> None:
    with start_postgres(folder / ("x" * 170), binaries=binaries) as server:
        assert stat.S_IMODE(server.sockets.path.stat().st_mode) == 0o700


def test_a_folder_others_may_enter_is_refused(open_folder: Path, binaries: Path | None) -> None:
    with pytest.raises(FolderNotPrivate, match="chmod 700"):
        start_postgres(open_folder, binaries=binaries)
    assert list(open_folder.iterdir()) == []


def test_missing_binaries_are_named(folder: Path) -> None:
    with pytest.raises(ServerNotInstalled, match="nowhere"):
        start_postgres(folder, binaries=folder / "nowhere")


def test_a_failed_start_tells_the_end_of_the_log_and_leaves_nothing_behind(
    folder: Path, binaries: Path | None
) -> None:
    with pytest.raises(ServerDidNotStart, match="invalid value for parameter"):
        start_postgres(folder, binaries=binaries, settings={"shared_buffers": "much"})
    with start_postgres(folder, binaries=binaries) as server:
        assert ask(server, "SELECT 1") == (1,)


def test_databases_are_copied_and_dropped_under_open_connections(
    folder: Path, binaries: Path | None
) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        with psycopg.connect(server.create_database("model"), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        copy = psycopg.connect(server.create_database('odd "name"', template="model"))
        assert copy.execute("SELECT number FROM kept").fetchone() == (7,)
        server.drop_database('odd "name"')
        server.drop_database("never there")
        with pytest.raises(psycopg.OperationalError):
            copy.execute("SELECT 1")
        copy.close()
        names = ask(server, "SELECT array_agg(datname ORDER BY datname::text) FROM pg_database")
    assert names == (["model", "postgres", "template0", "template1"],)


def test_no_value_a_client_sent_reaches_the_log(folder: Path, binaries: Path | None) -> None:
    with start_postgres(folder, binaries=binaries) as server:
        tell(server, "CREATE TABLE people (name text PRIMARY KEY)")
        tell(server, "INSERT INTO people VALUES ('Zwetschge')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            tell(server, "INSERT INTO people VALUES ('Zwetschge')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            tell(server, "SELECT 'Zwetschge'::integer")
        with psycopg.connect(server.dsn()) as connection:
            backend = connection.info.backend_pid
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 'Zwetschge', pg_terminate_backend(pg_backend_pid())")
            assert backend != server.pid
    log = (folder / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "Zwetschge" not in log


def test_the_server_dies_with_a_killed_parent(folder: Path, binaries: Path | None) -> None:
    with started_elsewhere("postgres", folder, binaries=binaries) as server:
        server.program.kill()
        assert ends_within(server.pid, 20)
    with start_postgres(folder, binaries=binaries) as again:
        assert ask(again, "SELECT 1") == (1,)
    assert "database system was not properly shut down" not in (folder / "postgres.log").read_text()


def test_the_server_outlives_the_thread_that_started_it(
    folder: Path, binaries: Path | None
) -> None:
    started: list[EmbeddedPostgres] = []
    thread = threading.Thread(
        target=lambda: started.append(start_postgres(folder, binaries=binaries))
    )
    thread.start()
    thread.join()
    while Path(f"/proc/self/task/{thread.native_id}").exists():
        os.sched_yield()
    with started[0] as server:
        assert not ends_within(server.pid, 0)
        assert ask(server, "SELECT 1") == (1,)


def test_stopping_twice_is_stopping_once(folder: Path, binaries: Path | None) -> None:
    server = start_postgres(folder, binaries=binaries)
    server.stop()
    server.stop()
    assert ends_within(server.pid, 0)
    assert not (folder / "data" / "postmaster.pid").exists()
