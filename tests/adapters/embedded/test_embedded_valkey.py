"""The embedded Valkey server: its socket, its lock, and a real arq worker on it."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest
from arq import Worker, create_pool
from arq.connections import RedisSettings
from redis import Redis

from adapters.embedded import FolderNotPrivate, ServerAlreadyRunning, start_valkey
from tests.adapters.embedded.observed import ends_within, listening_tcp_inodes, started_elsewhere


def to_json(job: dict[str, object]) -> bytes:
    return json.dumps(job).encode()


def from_json(stored: bytes) -> dict[str, object]:
    read = json.loads(stored)
    assert isinstance(read, dict)
    return read


async def add(ctx: dict[str, object], first: int, second: int) -> int:
    assert ctx["job_try"] == 1
    return first + second


# arq 0.28 still calls the close() that redis-py renamed to aclose().
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")
@pytest.mark.anyio
async def test_an_arq_worker_runs_a_json_job(folder: Path) -> None:
    with start_valkey(folder) as server:
        settings = RedisSettings(unix_socket_path=str(server.socket_path))
        pool = await create_pool(settings, job_serializer=to_json, job_deserializer=from_json)
        job = await pool.enqueue_job("add", 2, 3)
        assert job is not None
        worker = Worker(
            functions=[add],
            redis_pool=pool,
            burst=True,
            poll_delay=0.01,
            handle_signals=False,
            job_serializer=to_json,
            job_deserializer=from_json,
        )
        await worker.async_run()
        assert await job.result(timeout=5) == 5
        assert worker.jobs_complete == 1
        await worker.close()


@pytest.mark.parametrize("name", ["short", "long-" + "x" * 170, "odd, näme 'and' \"quotes\""])
def test_a_client_connects_whatever_the_folder_is_called(folder: Path, name: str) -> None:
    with start_valkey(folder / name) as server, Redis.from_url(server.url()) as client:
        assert client.set("key", "value")
        assert client.get("key") == b"value"


def test_the_socket_is_private_and_no_tcp_port_listens(folder: Path) -> None:
    with start_valkey(folder) as server:
        assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
        assert listening_tcp_inodes(server.pid) == set()


def test_nothing_is_kept_and_nothing_stays_behind(folder: Path) -> None:
    for _ in range(2):
        with start_valkey(folder) as server, Redis.from_url(server.url()) as client:
            assert client.get("key") is None
            client.set("key", "value")
        assert ends_within(server.pid, 0)
        assert sorted(path.name for path in folder.iterdir()) == ["valkey.lock", "valkey.log"]


def test_a_second_start_is_refused_and_the_first_keeps_its_socket(folder: Path) -> None:
    with start_valkey(folder) as server, Redis.from_url(server.url()) as client:
        client.set("key", "value")
        with pytest.raises(ServerAlreadyRunning, match=f"pid {server.pid}"):
            start_valkey(folder)
        client.connection_pool.disconnect()
        assert client.get("key") == b"value"


def test_a_killed_server_starts_again(folder: Path) -> None:
    with start_valkey(folder) as server:
        os.kill(server.pid, signal.SIGKILL)
        with start_valkey(folder) as again, Redis.from_url(again.url()) as client:
            assert client.ping()


def test_a_folder_others_may_enter_is_refused(open_folder: Path) -> None:
    with pytest.raises(FolderNotPrivate, match="chmod 700"):
        start_valkey(open_folder)


def test_the_server_dies_with_a_killed_parent(folder: Path) -> None:
    with started_elsewhere("valkey", folder) as server:
        server.program.kill()
        assert ends_within(server.pid, 20)
