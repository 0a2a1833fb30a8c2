"""US Core, the R4 examples, International Patient Summaries and CARIN: exact counts."""

from collections import Counter

import pytest

from api.house import House
from tests.samples.imported import accounted, bring, counts, expected, samples

pytestmark = [pytest.mark.anyio, pytest.mark.samples]


async def test_the_us_core_package_gives_its_183_examples_and_its_conformance_apart(
    standards: House,
) -> None:
    (told,) = expected("us-core").values()

    done = await bring(standards, "urn:us-core", samples("us-core"))

    outer = Counter(done.resources) - Counter(done.nested)
    assert outer == Counter(told["examples"])
    assert outer.total() == 183
    assert done.apart == dict(sorted(told["conformance"].items()))
    assert accounted(done) == Counter(done.resources)
    assert done.problems == ()


async def test_the_141_r4_examples_are_all_accounted_for(standards: House) -> None:
    (told,) = expected("fhir-r4-examples").values()

    done = await bring(standards, "urn:r4-examples", samples("fhir-r4-examples"))

    assert Counter(done.resources) == Counter(told["resources"])
    assert sum(done.resources.values()) == told["lines"] == 141
    assert accounted(done) == Counter(told["resources"])
    waiting = sum(kinds.get("waiting", 0) for kinds in done.yielded.values())
    aside = await counts(standards)
    assert aside["records.resource-set-aside"] >= waiting > 0
    assert done.issues == {"DiagnosticReport schema": 1}


async def test_each_patient_summary_is_read_whole(standards: House) -> None:
    wrong: dict[str, str] = {}
    for name, told in expected("ips").items():
        done = await bring(standards, f"urn:ips:{name}", samples("ips") / name)

        assert Counter(done.resources) == Counter(told["resources"]), name
        assert sum(done.resources.values()) == told["entries"], name
        assert accounted(done) == Counter(told["resources"]), name
        assert done.yielded["Patient"] == {"charts": 1}, name
        wrong.update((name, one.reason) for one in done.problems)

    # An organisation without name and identifier breaks constraint org-1: nothing to list.
    assert wrong == {"connectathon_archive-BR_may2024_connectathon.json": "no-name"}


async def test_the_carin_sets_are_read_whole(standards: House) -> None:
    told = Counter(one["resourceType"] for one in expected("carin-blue-button").values())

    done = await bring(standards, "urn:carin", samples("carin-blue-button"))

    assert Counter(done.resources) == told
    assert told["ExplanationOfBenefit"] == 10
    assert accounted(done) == told
    assert done.problems == ()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("urn:us-core", "us-core"),
        ("urn:r4-examples", "fhir-r4-examples"),
        ("urn:carin", "carin-blue-button"),
    ],
)
async def test_all_of_it_again_changes_nothing(standards: House, source: str, name: str) -> None:
    await bring(standards, source, samples(name))
    before = await counts(standards)
    again = await bring(standards, source, samples(name))
    assert again.events_written == 0
    assert await counts(standards) == before
