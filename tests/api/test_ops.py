"""docs/ops speaks of numbers that are there, and every alert has a section in the runbook."""

import json
import re
from pathlib import Path

import pytest

from api.apart import ProjectorProcess
from api.app import application
from api.auth.tokens import TokenVerifier
from api.metrics import Metrics
from api.signing import signing
from tests.api.world import World

pytestmark = pytest.mark.anyio
OPS = Path(__file__).parents[2] / "docs" / "ops"
NAME = re.compile(r"anamnesis_[a-z_]+")
ALERT = re.compile(r"- alert: (\w+)\n(.*?)(?=\n      - alert:|\Z)", re.DOTALL)


async def served(world: World) -> set[str]:
    """The names of all samples on the page of a serving house."""
    metrics = Metrics()
    verifier = TokenVerifier({}, "anamnesis", profile="production")
    projector = ProjectorProcess(world.house.settings)
    application(world.house, verifier, metrics=metrics, projector=projector)
    metrics.count({"type": "http"}, 200, 0.01)
    async with signing(world.house) as duty:
        metrics.watch(duty)
        page = (await metrics.page(world.house)).decode()
    counters = set(re.findall(r"^# TYPE (\S+) counter", page, re.MULTILINE))
    return set(re.findall(r"^(anamnesis_[a-z_]+)", page, re.MULTILINE)) | counters


async def test_every_number_of_dashboard_and_alerts_is_on_the_page(world: World) -> None:
    known = await served(world)
    expressions = [
        target["expr"]
        for panel in json.loads((OPS / "grafana.json").read_text())["panels"]
        for target in panel["targets"]
    ]
    used = set(NAME.findall(" ".join(expressions)))
    used |= {name for _, rule in alerts() for name in NAME.findall(rule)}
    assert used - known == set()
    families = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in known}
    shown = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in used}
    assert families - shown == set()


def alerts() -> list[tuple[str, str]]:
    return ALERT.findall((OPS / "alerts.yml").read_text())


def test_every_alert_leads_to_a_section_that_says_what_to_do() -> None:
    sections = dict(
        re.findall(
            r"^## (\w+)\n(.+?)(?=^## |\Z)",
            (OPS / "runbook.md").read_text(),
            re.MULTILINE | re.DOTALL,
        )
    )
    names = [name for name, _ in alerts()]
    assert len(names) == len(set(names)) >= 10
    assert names == list(sections)
    for name, rule in alerts():
        assert f"runbook: docs/ops/runbook.md#{name.lower()}\n" in f"{rule}\n"
        assert re.search(r"severity: (page|ticket)", rule)
        assert len(sections[name].split()) > 15
