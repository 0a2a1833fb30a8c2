"""What is not known for sure opens nothing: poisoned permissions, a lost root key, a lost head."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio import to_thread
from click.testing import CliRunner, Result

from adapters.keys import RootKeyMissing
from adapters.postgres.progress import PositionTimeout
from adapters.postgres.trail import Trail
from api.cli.verify import verify
from api.house import House, open_house
from api.keystore import create_root
from api.settings import Settings
from domain.audit import AuditReplayed, RecordReplay, Selection
from domain.care import JoinCareTeam, LeaveCareTeam, ReportEncounter, Visit
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.kernel.context import Actor, Subject
from domain.kernel.rule import Asking
from domain.kernel.values import Name
from domain.records import view
from tests.adapters.postgres.acts import HERE, account, damage, do, patient, projector, rows

pytestmark = pytest.mark.anyio


async def _clinician(house: House) -> tuple[str, str, Actor]:
    """A chart, a practitioner in its care team with the role, and their account."""
    chart = (await do(house, patient(1))).streams[0]
    listing = ListPractitioner(key="npi", practitioner=Practitioner(names=(Name("Grey"),)))
    who = (await do(house, listing)).streams[0]
    await do(house, GiveRole(practitioner=who, role="clinician"))
    await do(house, JoinCareTeam(chart=chart, practitioner=who, function="surgeon"))
    ident = (await do(house, account("grey", practitioner=who))).streams[0]
    return chart, who, Actor(tenant=HERE, id=ident, kind="account")


async def _permits(house: House, actor: Actor, chart: str) -> bool:
    subject = Subject(chart=chart)
    authority = await house.authorities.read(actor, subject)
    now = datetime.now(UTC)
    asking = Asking(actor=actor, subject=subject, authority=authority, now=now)
    return view.permit(asking) is not None


async def test_a_poisoned_event_of_care_closes_the_chart_to_those_in_care(
    house: House, dsn: str
) -> None:
    chart, who, actor = await _clinician(house)
    async with projector(house) as tailing:
        await tailing.advance(HERE)
        assert await _permits(house, actor, chart)
        poisoned = await do(house, ReportEncounter(chart=chart, key="e", visit=Visit(status="x")))
        await damage(
            dsn, "UPDATE event SET body = body || '\\x00' WHERE position = $1", poisoned.last
        )
        await do(house, LeaveCareTeam(chart=chart, practitioner=who))
        await tailing.advance(HERE)
    assert not await _permits(house, actor, chart)


async def test_permissions_that_do_not_catch_up_are_refused_in_time(house: House) -> None:
    chart, who, actor = await _clinician(house)
    async with projector(house) as tailing:
        await tailing.advance(HERE)
    await do(house, LeaveCareTeam(chart=chart, practitioner=who))
    house.progress._seconds = 0.2
    with pytest.raises(PositionTimeout):
        await _permits(house, actor, chart)


async def test_a_root_key_that_is_gone_is_not_replaced(settings: Settings) -> None:
    production = Settings(dsn=settings.dsn, keys=settings.keys, objects=settings.objects)
    with pytest.raises(RootKeyMissing):
        async with open_house(production):
            pass
    create_root(production)
    async with open_house(production) as house:
        assert await house.tenants() == ["lakeside", "riverside"]


async def test_a_log_whose_head_is_gone_does_not_verify(
    house: House, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do(house, patient(1))
    await damage(dsn, "DELETE FROM log_head")
    assert await house.tenants() == [HERE]
    settings = house.settings
    monkeypatch.setenv("ANAMNESIS_DSN", dsn)
    monkeypatch.setenv("ANAMNESIS_KEYS", str(settings.keys))
    monkeypatch.setenv("ANAMNESIS_OBJECTS", str(settings.objects))
    ran = await _in_thread(["--dir", str(tmp_path)])
    assert (ran.exit_code, "WRONG" in ran.output) == (1, True)
    await damage(dsn, "DELETE FROM event")
    assert (await _in_thread(["--dir", str(tmp_path)])).exit_code == 1


async def _in_thread(arguments: list[str]) -> Result:
    return await to_thread.run_sync(CliRunner().invoke, verify, arguments)


async def test_a_replay_of_a_chart_stands_in_the_trail_of_that_chart(
    house: House, dsn: str
) -> None:
    chart = (await do(house, patient(1))).streams[0]
    await do(house, RecordReplay(trail=chart, selection=f"chart={chart}", count=1, chart=chart))
    async with projector(house) as tailing:
        await tailing.advance(HERE)
    trail = Trail(house.auditor, house.keys, HERE)
    found = await trail.events(await trail.positions(Selection(chart=chart)))
    assert isinstance(found[-1].event, AuditReplayed)
    assert await rows(dsn, "SELECT count(*) FROM dead_letter") == [(0,)]
