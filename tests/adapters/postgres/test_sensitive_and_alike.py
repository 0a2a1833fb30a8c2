"""Sensitive rows behind two walls and two kinds of keys, and one fact that two sources state."""

from dataclasses import replace

import pytest

from adapters.postgres.reads import ReadTransaction
from api.house import House
from domain.kernel.labels import Label
from domain.kernel.readmodel import Row, Select
from domain.kernel.values import Coding, Concept, Moment, Quantity, Source
from domain.records import (
    CorrectRecord,
    Fact,
    FileRecord,
    Observation,
    RelabelRecord,
    WithdrawRecord,
)
from projections import records
from tests.adapters.postgres.acts import HERE, account, do, granting, patient, projector, rows

pytestmark = pytest.mark.anyio
HIV = Label("HIV", "icd10-b20")


def weight(chart: str, system: str, value: str = "71.40", day: str = "2026-03-01") -> FileRecord:
    """A measurement of a day, as one system stated it."""
    seen = Observation(
        concept=Concept((Coding("http://loinc.org", "29463-7"),)),
        status="final",
        effective=Moment(day),
        quantity=Quantity(value, "kg", "kg"),
    )
    return FileRecord(
        chart=chart,
        key=f"{system}|Observation|{day}",
        source=Source(system, "Observation", day),
        fact=Fact(observation=seen),
        when=Moment(day),
    )


async def opened(house: House, key: str = "1") -> str:
    """A new chart."""
    return (await do(house, patient(int(key)))).streams[0]


async def shown(
    house: House, select: Select, who: str, *, sensitive: bool = True
) -> tuple[Row, ...]:
    """What an account reads."""
    reading = ReadTransaction(house.api, house.keys, HERE, who)
    try:
        return (await reading.page(select, sensitive=sensitive)).rows
    finally:
        await reading.close()


async def owner_of(house: House, chart: str, login: str = "ada") -> str:
    """The account of the chart's person."""
    [(person,)] = await rows(
        house.settings.dsn, "SELECT person::text FROM model.registry_link WHERE chart = $1", chart
    )
    return (await do(house, account(login, person=person))).streams[0]


def observations(chart: str, *others: str, first: int = 10) -> Select:
    """The panel."""
    return Select(panel=records.observations, chart=chart, first=first, others=others)


async def test_one_fact_of_two_sources_is_shown_once_with_both_statements(house: House) -> None:
    async with projector(house) as projecting:
        chart = await opened(house)
        for wish in (weight(chart, "urn:clinic"), weight(chart, "urn:device")):
            await do(house, wish)
        await do(house, weight(chart, "urn:device", day="2026-03-02"))
        await projecting.advance(HERE)
        who = await owner_of(house, chart)
        await projecting.advance(HERE)
        later, row = await shown(house, observations(chart), who)
        assert (later.body.source.system, later.alike) == ("urn:device", ())
        assert row.body.source.system == "urn:device"
        assert [twin.body.source.system for twin in row.alike] == ["urn:clinic"]
        [only] = (await shown(house, observations(chart, first=1), who))[:1]
        page = replace(observations(chart, first=1), after=(only.at, only.id))
        assert [one.id for one in await shown(house, page, who)] == [row.id]


async def test_two_statements_of_one_source_or_of_other_values_are_two_facts(house: House) -> None:
    async with projector(house) as projecting:
        chart = await opened(house)
        same = weight(chart, "urn:clinic")
        await do(house, same)
        await do(house, replace(same, key="again", source=replace(same.source, id="again")))
        await do(house, weight(chart, "urn:device", value="80.0"))
        await projecting.advance(HERE)
        who = await owner_of(house, chart)
        await projecting.advance(HERE)
        assert len(await shown(house, observations(chart), who)) == 3


async def test_after_a_correction_the_next_read_decides_anew(house: House) -> None:
    async with projector(house) as projecting:
        chart = await opened(house)
        await do(house, weight(chart, "urn:clinic"))
        await do(house, weight(chart, "urn:device"))
        other = weight(chart, "urn:clinic", value="72.00").fact
        key = "urn:clinic|Observation|2026-03-01"
        await do(house, CorrectRecord(chart=chart, key=key, fact=other, reason="a typing error"))
        await projecting.advance(HERE)
        who = await owner_of(house, chart)
        await projecting.advance(HERE)
        found = await shown(house, observations(chart), who)
        assert sorted(one.body.fact.observation.quantity.value for one in found) == [
            "71.40",
            "72.00",
        ]
        assert all(one.alike == () for one in found)


async def test_a_sensitive_row_is_its_owners_and_no_proxys_behind_either_wall(
    house: House,
) -> None:
    async with projector(house) as projecting:
        chart, theirs = await opened(house), await opened(house, "2")
        await do(house, replace(weight(chart, "urn:clinic"), labels=(HIV,)))
        await do(house, weight(chart, "urn:clinic", day="2026-03-02"))
        await projecting.advance(HERE)
        own, proxy = await owner_of(house, chart), await owner_of(house, theirs, "bob")
        [(grantee,)] = await rows(
            house.settings.dsn,
            "SELECT person::text FROM model.registry_link WHERE chart = $1",
            theirs,
        )
        await do(house, granting(chart, grantee))
        await projecting.advance(HERE)
        assert len(await shown(house, observations(chart), own)) == 2
        # The first wall is off: what is left is the row policy.
        assert len(await shown(house, observations(chart), proxy, sensitive=True)) == 1
        assert len(await shown(house, observations(chart), proxy, sensitive=False)) == 1
        assert len(await shown(house, observations(chart), own, sensitive=False)) == 1


async def test_a_sensitive_fact_is_sealed_in_a_compartment_that_tells_nothing(
    house: House,
) -> None:
    async with projector(house) as projecting:
        chart = await opened(house)
        await do(house, replace(weight(chart, "urn:clinic"), labels=(HIV,)))
        await do(house, weight(chart, "urn:clinic", day="2026-03-02"))
        await projecting.advance(HERE)
    found = await rows(
        house.settings.dsn, "SELECT key::text, label FROM model.records_observation ORDER BY label"
    )
    assert len({key for key, _ in found}) == 2
    assert [len(label) for _, label in found] == [0, 16]
    store = (house.settings.keys / "keys.sqlite3").read_bytes()
    assert b"HIV" not in store


async def test_relabelling_seals_the_row_anew_and_outlives_the_sources_next_word(
    house: House,
) -> None:
    async with projector(house) as projecting:
        chart = await opened(house)
        wish = replace(weight(chart, "urn:clinic"), labels=(HIV,))
        await do(house, wish)
        await projecting.advance(HERE)
        before = await rows(house.settings.dsn, "SELECT key, label FROM model.records_observation")
        said = RelabelRecord(chart=chart, key=wish.key, codes=(), reason="not about HIV")
        await do(house, said)
        await do(house, replace(wish, fact=weight(chart, "urn:clinic", value="1").fact))
        await projecting.advance(HERE)
        after = await rows(house.settings.dsn, "SELECT key, label FROM model.records_observation")
        assert before[0][0] != after[0][0]
        assert after[0][1] == b""
        assert (await do(house, said)).last is None


async def test_a_wrong_patients_fact_moves_to_the_other_chart_in_one_act(house: House) -> None:
    async with projector(house) as projecting:
        chart, right = await opened(house), await opened(house, "2")
        wish = weight(chart, "urn:clinic")
        await do(house, wish)
        moved = WithdrawRecord(chart=chart, key=wish.key, reason="another patient's", refile=right)
        receipt = await do(house, moved)
        assert receipt.last is not None
        assert receipt.first is not None
        assert receipt.last - receipt.first == 1
        await projecting.advance(HERE)
        found = await rows(house.settings.dsn, "SELECT chart::text FROM model.records_observation")
        assert found == [(right,)]
        # The source sends the same again to the wrong chart: it stays withdrawn there.
        assert (await do(house, wish)).last is None
