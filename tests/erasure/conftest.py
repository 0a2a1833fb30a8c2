"""A patient whose every word is marked, and another one who must not lose anything."""

import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from adapters.embedded import EmbeddedPostgres
from adapters.postgres.tenant import tenant_rows
from api.cli.place import operator_actor
from api.erasing import Certificate, Wanted, erase
from api.house import House
from api.settings import Settings
from domain.audit import RecordReplay, trail_of
from domain.identity import OpenAccount
from domain.kernel.context import Actor
from domain.kernel.perform import Request
from domain.kernel.values import Identifier, Name
from domain.registry import Demographics, ReportPatient
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import Json, concept, observation, of_patient, patient, report

HERE = "riverside"
WHO: Actor = operator_actor(HERE, "olga", "the patient asked for it")
HIV = "86406008"
WORDS = {
    "late": "cnry-late", "name": "cnry-name", "problem": "cnry-problem", "hiv": "cnry-hiv",
    "value": "cnry-value", "virus": "cnry-virus", "conclusion": "cnry-conclusion",
    "paper": "cnry-paper", "title": "cnry-title", "broken": "cnry-broken", "login": "cnry-login",
}  # fmt: skip
"""What the marked patient's record says, by where it stands."""
OTHER = "untouched"
LINKS = "SELECT chart::text, person::text FROM model.registry_link"


@dataclass(frozen=True, slots=True)
class Marked:
    """The marked patient and the other one, by their charts, and the marked one's person."""

    chart: str
    person: str
    other: str


def condition(ident: str, words: str, code: str = "195967001") -> Json:
    """A problem in these words."""
    coded = concept(code, "http://snomed.info/sct", words)
    return of_patient("Condition", ident, code=coded)


def paper(ident: str, title: str, content: str) -> Json:
    """A document with content."""
    attached = {"contentType": "text/plain", "data": b64encode(content.encode()).decode()}
    return of_patient(
        "DocumentReference",
        ident,
        status="current",
        description=title,
        type=concept("34133-9"),
        content=[{"attachment": {**attached, "title": title}}],
    )


def virus(ident: str, words: str) -> Json:
    """A value that is sensitive by what it measures."""
    return observation(ident, category="laboratory", code=concept("20447-9"), valueString=words)


async def marked(house: House, folder: Path) -> Marked:
    """Import the marked patient, with something that had been set aside before, and the other."""
    before = await lived_rows(house, LINKS)
    late = condition("late", WORDS["late"])
    await lived.brought(house, folder, late)
    person = {
        "identifier": [{"system": "urn:mrn", "value": "cnry-number"}],
        "name": [{"family": WORDS["name"]}],
        "birthDate": "1931-05-17",
    }
    await lived.brought(
        house,
        folder,
        patient(**person),
        late,
        condition("c1", WORDS["problem"]),
        condition("c2", WORDS["hiv"], HIV),
        observation("o1", category="laboratory", valueString=WORDS["value"]),
        virus("o2", WORDS["virus"]),
        report("r1", "o1", "o2", conclusion=WORDS["conclusion"]),
        paper("d1", WORDS["title"], WORDS["paper"]),
        condition("c3", WORDS["broken"]) | {"onsetDateTime": 5},
    )
    (linked,) = [one for one in await lived_rows(house, LINKS) if one not in before]
    chart, who = str(linked["chart"]), str(linked["person"])
    other = ReportPatient(
        identifier=Identifier("urn:mrn", "other"),
        demographics=Demographics(names=(Name(OTHER),)),
    )
    receipt = await house.do(Request(command=other, actor=WHO, key=uuid4().hex))
    account = OpenAccount(login=WORDS["login"], display_name=WORDS["login"], person=who)
    await house.do(Request(command=account, actor=WHO, key=uuid4().hex))
    await house.progress.reach_head(HERE, lived.NAMES, seconds=60)
    return Marked(chart, who, receipt.streams[0])


async def look(house: House, chart: str, words: str = "a look") -> None:
    """Somebody replays the chart: it stands in its trail."""
    trail = trail_of(WHO, house.log.now())
    wish = RecordReplay(trail=trail, selection=words, count=1, chart=chart)
    await house.do(Request(command=wish, actor=WHO, key=uuid4().hex))
    await house.progress.reach_head(HERE, lived.NAMES, seconds=60)


async def lived_rows(house: House, sql: str, *arguments: object) -> list[dict[str, object]]:
    """Rows as the auditor of riverside sees them."""
    return [dict(row) for row in await tenant_rows(house.auditor, HERE, sql, *arguments)]


async def erased(
    house: House, chart: str, scope: str = "everything", item: str | None = None
) -> Certificate:
    """Erase, and wait for every read model."""
    wanted = Wanted(chart=chart, scope=scope, item=item)
    done = await erase(house, wanted, "GDPR 17", WHO, lambda *_: None)
    await house.progress.reach_head(HERE, lived.NAMES, seconds=60)
    return done


@dataclass(frozen=True, slots=True)
class Backups:
    """Copies of a database and of its received files, whose keys are the current ones."""

    postgres: EmbeddedPostgres
    folder: Path
    made: list[str]

    def take(self, settings: Settings) -> Settings:
        """A copy of now; nobody may be connected."""
        name = f"backup_{uuid4().hex}"
        dsn = self.postgres.create_database(name, template=urlsplit(settings.dsn).path[1:])
        self.made.append(name)
        shutil.copytree(settings.objects, self.folder / name)
        return replace(settings, dsn=dsn, objects=self.folder / name)


@pytest.fixture
def backups(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Backups]:
    """Backups, dropped in the end."""
    kept = Backups(postgres, tmp_path, [])
    yield kept
    for name in kept.made:
        postgres.drop_database(name)
