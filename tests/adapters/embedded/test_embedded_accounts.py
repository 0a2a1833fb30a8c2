"""Which account the embedded PostgreSQL server runs as: ordinary user, root, root without help."""

import os
import pwd
import shutil
from pathlib import Path

import psycopg
import pytest

from adapters.embedded import NoUsableAccount, start_postgres
from adapters.embedded.process import Account
from tests.adapters.embedded.observed import NOBODY, ends_within, started_elsewhere

# Only root can become someone else. The other tests hold for every user.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def no_unshare(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH on which unshare is missing, as in a small container."""
    programs = open_folder / "programs"
    programs.mkdir(mode=0o755)
    for name in ("sh", "setpriv"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.glob("**/*"))}


def test_files_stay_ours_below_a_private_home(folder: Path, binaries: Path | None) -> None:
    folder.parent.chmod(0o700)
    with start_postgres(folder, binaries=binaries) as server:
        assert owners(folder) == {os.geteuid()}
        assert Path(f"/proc/{server.pid}").stat().st_uid == os.geteuid()


def test_the_process_is_postgres_itself_and_no_wrapper(
    folder: Path, reachable_binaries: Path
) -> None:
    with start_postgres(folder, binaries=reachable_binaries) as server:
        program = Path(f"/proc/{server.pid}/exe").resolve()
        assert program == (reachable_binaries / "postgres").resolve()


def test_an_ordinary_user_runs_the_server_as_itself(
    open_folder: Path, reachable_binaries: Path
) -> None:
    uid = NOBODY.pw_uid if os.geteuid() == 0 else None
    expected = os.geteuid() if uid is None else uid
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, expected, -1)
    for _ in range(2):
        with started_elsewhere(
            "postgres", home / "server", binaries=reachable_binaries, uid=uid
        ) as server:
            assert Path(f"/proc/{server.pid}").stat().st_uid == expected
            with psycopg.connect(server.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert server.finish() == 0
        assert owners(home) == {expected}


@needs_root
def test_the_server_of_an_ordinary_user_dies_with_a_killed_parent(
    open_folder: Path, reachable_binaries: Path
) -> None:
    os.chown(open_folder, NOBODY.pw_uid, -1)
    with started_elsewhere(
        "postgres", open_folder / "server", binaries=reachable_binaries, uid=NOBODY.pw_uid
    ) as server:
        server.program.kill()
        assert ends_within(server.pid, 20)


@needs_root
def test_a_user_number_without_an_account_entry_is_enough(
    open_folder: Path, reachable_binaries: Path
) -> None:
    known = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(54_321, 60_000) if number not in known)
    os.chown(open_folder, uid, -1)
    with started_elsewhere(
        "postgres", open_folder / "server", binaries=reachable_binaries, uid=uid
    ) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == uid
        assert server.finish() == 0


@needs_root
@pytest.mark.usefixtures("no_unshare")
def test_root_without_namespaces_hands_the_folder_to_an_existing_user(
    open_folder: Path, reachable_binaries: Path
) -> None:
    folder = open_folder / "server"
    pids: list[int] = []
    for _ in range(2):
        with start_postgres(folder, binaries=reachable_binaries) as server:
            uid = Path(f"/proc/{server.pid}").stat().st_uid
            assert uid != 0
            assert owners(folder) == {uid}
            server.create_database(f"made_{len(pids)}")
            pids.append(server.pid)
        assert ends_within(server.pid, 0)


@needs_root
@pytest.mark.usefixtures("no_unshare")
def test_a_temporary_socket_folder_is_handed_over_too(
    open_folder: Path, reachable_binaries: Path
) -> None:
    with start_postgres(open_folder / ("x" * 170), binaries=reachable_binaries) as server:
        assert server.sockets.temporary
        assert server.sockets.path.stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid


@needs_root
@pytest.mark.usefixtures("no_unshare")
def test_a_folder_no_unprivileged_user_can_reach_is_refused_and_stays_roots(
    folder: Path, reachable_binaries: Path
) -> None:
    with pytest.raises(NoUsableAccount, match="permit user namespaces") as refused:
        start_postgres(folder, binaries=reachable_binaries)
    assert f"uid {NOBODY.pw_uid}" in str(refused.value)
    assert owners(folder) == {0}


@needs_root
@pytest.mark.usefixtures("no_unshare")
def test_programs_no_unprivileged_user_can_execute_are_refused_too(
    open_folder: Path, reachable_binaries: Path
) -> None:
    (open_folder / "programs").chmod(0o700)
    with pytest.raises(NoUsableAccount, match="Permission denied"):
        start_postgres(open_folder / "server", binaries=reachable_binaries)
    assert owners(open_folder / "server") == {0}


@needs_root
def test_root_runs_the_server_of_a_users_folder_as_that_user(
    open_folder: Path, reachable_binaries: Path
) -> None:
    folder = open_folder / "server"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    with start_postgres(folder, binaries=reachable_binaries) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY.pw_uid
        assert owners(folder) == {NOBODY.pw_uid}


def test_an_account_names_itself_in_errors() -> None:
    assert str(Account()) == "this user"
    assert str(Account(uid=5, gid=5)) == "uid 5"
    assert str(Account(prefix=("unshare", "--user"))) == "unshare --user"
