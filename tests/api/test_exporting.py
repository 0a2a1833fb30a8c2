"""An export ends with a head that has its newest event, also while another process signs."""

import asyncio
import json

import pytest

from api.exporting import export, receipt
from api.signing import head_file, head_key
from domain.kernel.context import Actor
from tests.api.world import World

pytestmark = pytest.mark.anyio
OFFICER = Actor(tenant="riverside", id="olga", kind="operator", client="cli", reason="a request")


async def exported(world: World) -> list[bytes]:
    lines = export(world.house, None, OFFICER, lambda _done, _total: None)
    return [line async for line in lines]


async def test_an_export_waits_for_its_turn_to_sign(world: World) -> None:
    house = world.house
    key = await head_key(house.keys, house.settings, "riverside")
    with head_file(house.settings, key, "riverside").held() as alone:
        assert alone
        waiting = asyncio.create_task(exported(world))
        proving = asyncio.create_task(receipt(house, 1, OFFICER))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert not proving.done()
    lines = [json.loads(line) for line in await waiting]
    assert json.loads(await proving)["position"] == 1
    types = [json.loads(line["header"])["type"] for line in lines if "header" in line]
    assert "audit.audit-replayed" in types[-2:]
    assert lines[0]["events"] == len(types)
