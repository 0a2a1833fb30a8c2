"""A source's last word stands, whatever it said before."""

import pytest

from domain import audit
from domain.kernel.context import Actor
from domain.kernel.perform import Request, perform
from domain.kernel.values import Concept, Source
from domain.records import Condition, Fact, FileRecord, RecordCorrected, RecordFiled
from tests.domain.kernel.memory_log import MemoryLog

pytestmark = pytest.mark.anyio
OPERATOR = Actor(tenant="riverside", id="op", kind="operator", reason="import")


async def told(*said: tuple[str, str | None]) -> list[tuple[type[object], str]]:
    """What is recorded after a source said these words (text, digest) of one fact in turn."""
    log = MemoryLog()
    for number, (text, digest) in enumerate(said):
        wish = FileRecord(
            chart="c",
            key="cond-1",
            source=Source("urn:ehr", "Condition", "1", digest=digest),
            fact=Fact(condition=Condition(concept=Concept(text=text))),
        )
        await perform(Request(command=wish, actor=OPERATOR, key=str(number)), log, audit.refused)
    return [(type(e), e.fact.condition.concept.text) for e in log.facts()]


async def test_the_same_content_again_is_nothing_new() -> None:
    assert await told(("Flu", "a"), ("Flu", "a")) == [(RecordFiled, "Flu")]


async def test_the_same_content_under_another_digest_is_nothing_new() -> None:
    assert await told(("Flu", "a"), ("Flu", "b")) == [(RecordFiled, "Flu")]


async def test_going_back_to_earlier_content_is_a_correction() -> None:
    assert await told(("Flu", "a"), ("Cold", "b"), ("Flu", "a")) == [
        (RecordFiled, "Flu"),
        (RecordCorrected, "Cold"),
        (RecordCorrected, "Flu"),
    ]


async def test_other_content_without_a_digest_is_a_correction() -> None:
    assert await told(("Flu", None), ("Cold", None)) == [
        (RecordFiled, "Flu"),
        (RecordCorrected, "Cold"),
    ]
