"""A patient whose every word can be found again, and the ears that listen for those words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from structlog.testing import capture_logs

from domain.identity import OpenAccount
from domain.kernel.values import Coding, Concept, Identifier, Moment, Name, Quantity, Source
from domain.records import Allergy, Condition, Fact, FileRecord, Observation, Reaction
from domain.registry import Demographics, ReportPatient
from domain.results import Analyte, ReceiveResult, Report
from tests.api.world import World

MARK = "cnry7f3a"
NAME, NUMBER, PROBLEM, SUBSTANCE, VALUE, WORDS, CONCLUSION, UNIT = (
    f"{MARK}-{word}"
    for word in ("name", "number", "problem", "substance", "value", "words", "conclusion", "unit")
)
SENT = f"{MARK}-sent"
"""What fuzzed requests carry in their literals and variables."""

CLIENTS = ("httpx2", "httpcore2", "urllib3", "hypothesis")


async def plant(world: World) -> None:
    """The patient `canary`, with an account; every text of the record is a canary."""
    source = Source(f"urn:{MARK}", "Condition", "1", digest="1")
    report = ReportPatient(
        identifier=Identifier(f"urn:{MARK}", NUMBER),
        demographics=Demographics(names=(Name(NAME, (NAME,)),), birth_date=Moment("1931-05-17")),
    )
    chart, person = (await world.do("riverside", report)).streams
    concept = Concept((Coding(f"urn:{MARK}", PROBLEM, PROBLEM),), PROBLEM)
    amount = Quantity(value="73.915573", unit=UNIT)
    facts = {
        "condition": Fact(condition=Condition(concept=concept, onset=Moment("1999-04"))),
        "allergy": Fact(
            allergy=Allergy(
                concept=Concept(text=SUBSTANCE),
                reactions=(Reaction(manifestations=(Concept(text=WORDS),)),),
            )
        ),
        "observation": Fact(
            observation=Observation(concept=concept, status="final", quantity=amount, text=WORDS)
        ),
    }
    for key, fact in facts.items():
        await world.do(
            "riverside", FileRecord(chart=chart, key=f"{MARK}-{key}", source=source, fact=fact)
        )
    analyte = Analyte(concept=concept, status="final", text=VALUE, quantity=amount)
    received = Report(
        category="laboratory",
        concept=concept,
        status="final",
        performers=(NAME,),
        observations=(analyte,),
        conclusion=CONCLUSION,
    )
    await world.do("riverside", ReceiveResult(chart=chart, key=f"{MARK}-report", report=received))
    account = OpenAccount(login=f"{MARK}-login", display_name=NAME, person=person)
    opened = await world.do("riverside", account)
    world.people["canary"] = ("riverside", opened.streams[0])
    world.seeded.charts["canary"] = chart


@dataclass(slots=True)
class Heard:
    """Everything that the process wrote to its logs while somebody listened."""

    lines: list[str] = field(default_factory=list)


class _Ear(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard
        self.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message, its arguments and its traceback."""
        self._heard.lines.append(f"{self.format(record)} {record.__dict__!r}")


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear structlog and every logger of the standard library, from DEBUG up.

    Without those of the clients that send the canaries.
    """
    heard = Heard()
    for name in CLIENTS:
        logging.getLogger(name).setLevel(logging.WARNING)
    ear, root, before = _Ear(heard), logging.getLogger(), structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with capture_logs() as entries:
            yield heard
    finally:
        root.removeHandler(ear)
        root.setLevel(level)
        structlog.configure(**before)
        heard.lines.extend(map(repr, entries))
