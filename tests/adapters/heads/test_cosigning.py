"""Kept heads are brought to a witness over HTTP, and a witness with another memory is believed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from adapters.heads import heads_in
from adapters.heads.cosigning import Cosigner, WitnessPlace, WitnessRefused, cosigning
from adapters.heads.witness import SIZE_TYPE, Witness
from adapters.proofs.notes import COSIGNED, Checkpoint
from api.serving import listen, serving
from api.witness import witness_application
from tests.adapters.heads.conftest import KEY, Signed
from tests.adapters.heads.test_witness import NOW, WITNESS
from tests.adapters.postgres.acts import HERE

pytestmark = pytest.mark.anyio
KEYS = (KEY.verifier(), WITNESS.verifier(COSIGNED))


@asynccontextmanager
async def witnessed(signed: Signed, folder: Path) -> AsyncIterator[Cosigner]:
    """Somebody who brings heads to a witness that remembers in this folder."""
    app = witness_application(Witness(WITNESS, [KEY.verifier()], folder, lambda: NOW))
    async with serving(app, listen(0)) as url, httpx2.AsyncClient() as client:
        yield Cosigner(
            client=client,
            pool=signed.pool,
            tenant=HERE,
            kept=signed.file,
            place=WitnessPlace(f"{url}/", WITNESS.verifier(COSIGNED)),
            outlets=[signed.outlet],
        )


def cosigned(signed: Signed) -> list[int]:
    """The sizes of heads in the outlet that both keys signed."""
    notes = (note for _, note in heads_in(signed.outlet.path.read_text()))
    return [Checkpoint.of(n.text).size for n in notes if len(n.check(KEYS)) == 2]


async def test_each_head_is_cosigned_with_a_path_from_the_one_before(signed: Signed) -> None:
    async with witnessed(signed, signed.folder / "w") as cosigner:
        assert not await cosigner.cosign()
        sizes = []
        for number in range(3):
            sizes.append(await signed.grow(number * 2, 1 + number))
            await signed.signer().sign()
            assert await cosigner.cosign()
            assert await cosigner.cosign()
    assert cosigned(signed) == sizes


async def test_a_witness_that_remembers_something_else_is_asked_again_from_there(
    signed: Signed,
) -> None:
    async with witnessed(signed, signed.folder / "w") as cosigner:
        await signed.grow(0, 2)
        await signed.signer().sign()
        await cosigner.cosign()
        memory = next((signed.folder / "heads").glob("riverside.witness-*.json"))
        memory.unlink()
        last = await signed.grow(2, 3)
        await signed.signer().sign()
        assert await cosigner.cosign()
    assert cosigned(signed)[-1] == last


async def test_a_history_that_the_witness_has_not_seen_is_not_cosigned(signed: Signed) -> None:
    """Also where the log's own key signed it: that is what a witness is for."""
    async with witnessed(signed, signed.folder / "w") as cosigner:
        await signed.grow(0, 3)
        await signed.signer().sign()
        await cosigner.cosign()
        await signed.owner.execute("DELETE FROM event WHERE tenant = $1 AND position > 3", HERE)
        await signed.owner.execute("DELETE FROM signed_head")
        await signed.fit()
        for kept in (signed.folder / "heads").glob("*.json"):
            kept.unlink()
        await signed.signer().sign()
        with pytest.raises(WitnessRefused):
            await cosigner.cosign()
        before = cosigned(signed)
        await signed.owner.execute("UPDATE stream_head SET version = version")
    assert cosigned(signed) == before


async def test_an_answer_of_another_key_is_no_cosignature(signed: Signed) -> None:
    async with witnessed(signed, signed.folder / "w") as cosigner:
        await signed.grow(0, 1)
        await signed.signer().sign()
        elsewhere = WitnessPlace(cosigner.place.url, replace(KEYS[1], public=b"x" * 32))
        with pytest.raises(WitnessRefused):
            await replace(cosigner, place=elsewhere).cosign()
        assert await cosigner.cosign()


async def test_a_witness_that_is_away_is_told_of_once_and_asked_again(signed: Signed) -> None:
    await signed.grow(0, 1)
    await signed.signer().sign()
    async with witnessed(signed, signed.folder / "w") as cosigner:
        stop, rounds = asyncio.Event(), 0
        away = WitnessPlace("http://127.0.0.1:9", cosigner.place.key)

        async def cosigners() -> dict[str, Cosigner]:
            nonlocal rounds
            rounds += 1
            if rounds == 1:
                raise OSError
            if rounds > 4:
                stop.set()
            return {"w1": cosigner if rounds > 3 else replace(cosigner, place=away)}

        with capture_logs() as logs:
            await cosigning(cosigners, stop, pause_s=0.01)
    assert [log["event"] for log in logs] == ["heads.unwitnessed", "heads.uncosigned"]
    assert len(cosigned(signed)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, "", "{line}"),
        (200, "", "\n{line}"),
        (200, "", "{log}"),
        (200, "", "no line\n"),
        (200, "", "x" * 100_000),
        (409, SIZE_TYPE, "\u00b2\n"),
        (409, SIZE_TYPE, "9" * 5_000),
        (302, "", ""),
    ],
)
async def test_whatever_a_faulty_witness_says_is_kept_nowhere(
    signed: Signed, answer: tuple[int, str, str]
) -> None:
    position = await signed.grow(0, 1)
    await signed.signer().sign()
    head = signed.file.load()
    assert head is not None
    status, kind, text = answer
    forged = WITNESS.cosign("another text\n", NOW).line
    log = f"{KEY.sign('another text').line}\n{WITNESS.cosign(head.note.text, NOW).line}"
    said = text.replace("{line}", f"{forged}\n").replace("{log}", f"{log}\n")

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said.encode()})

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport) as client:
        place = WitnessPlace("http://w.test", WITNESS.verifier(COSIGNED))
        cosigner = Cosigner(client, signed.pool, HERE, signed.file, place, [signed.outlet])
        if "{log}" in text:
            # The witness's own line is good; what else it says is not kept.
            assert await cosigner.cosign()
            assert cosigned(signed) == [position]
        else:
            with pytest.raises(WitnessRefused):
                await cosigner.cosign()
            assert cosigned(signed) == []
    # Nobody stumbles over it afterwards.
    assert signed.file.load() is not None
    cosigner.file.load()
    assert len(list(heads_in(signed.outlet.path.read_text()))) >= 1


async def test_the_head_of_an_empty_log_is_brought_to_nobody(signed: Signed) -> None:
    assert await signed.signer().sign() == 0
    async with witnessed(signed, signed.folder / "w") as cosigner:
        assert not await cosigner.cosign()
        position = await signed.grow(0, 1)
        await signed.signer().sign()
        assert await cosigner.cosign()
    assert cosigned(signed) == [position]
