"""A root in AWS KMS, by boto3 against moto's server: a KMS that is not ours."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from adapters.keys import BodyTampered, KeyTree, RootUnavailable, SqliteKeyStore
from adapters.keys.kms import root_of_url
from tests.peers.conftest import ROOT

pytestmark = [pytest.mark.peers, pytest.mark.anyio]
PROGRAM = ROOT / ".peers-aws" / "bin" / "moto_server"
REGION = "eu-central-1"
START_SECONDS = 60.0
SECRET = os.urandom(32)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an AWS."""
    assert PROGRAM.exists(), "moto is not installed: run .ci/peers-aws .peers-aws .venv/bin/python"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("aws") / "log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [PROGRAM, "-H", "127.0.0.1", "-p", str(port)], stdout=said, stderr=said
        )
        try:
            until = time.monotonic() + START_SECONDS
            while True:
                with socket.socket() as asked:
                    if asked.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert time.monotonic() < until, log.read_text()
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture
def key(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new key with the alias `anamnesis`; its id."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", aws)
    kms = boto3.client("kms", region_name=REGION)
    for alias in kms.list_aliases()["Aliases"]:
        if alias["AliasName"] == "alias/anamnesis":
            kms.delete_alias(AliasName="alias/anamnesis")
    made = str(kms.create_key()["KeyMetadata"]["KeyId"])
    kms.create_alias(AliasName="alias/anamnesis", TargetKeyId=made)
    return made


async def test_aws_wraps_for_one_tenant_and_version(key: str) -> None:
    for name in (key, "alias/anamnesis"):
        root = root_of_url(f"aws-kms://{REGION}/{name}", None)
        wrapped = await root.wrap("clinic", 1, SECRET)
        assert SECRET not in wrapped
        assert await root.unwrap("clinic", 1, wrapped) == SECRET
        for tenant, version in (("other", 1), ("clinic", 2)):
            with pytest.raises(BodyTampered):
                await root.unwrap(tenant, version, wrapped)


async def test_a_key_that_aws_never_had_is_unavailable(key: str) -> None:
    del key
    nobody = root_of_url(f"aws-kms://{REGION}/alias/nobody", None)
    with pytest.raises(RootUnavailable, match="aws: NotFoundException"):
        await nobody.wrap("clinic", 1, SECRET)


async def test_a_key_tree_hangs_on_aws(key: str, tmp_path: Path) -> None:
    del key
    root = root_of_url(f"aws-kms://{REGION}/alias/anamnesis", None)
    store = SqliteKeyStore(tmp_path / "keys.db")
    sealed = (await KeyTree(root, store).compartment("clinic", "chart", "clinical")).seal(b"x", b"")
    again = await KeyTree(root, store).compartment("clinic", "chart", "clinical")
    assert again.open(sealed, b"") == b"x"
    await store.close()
