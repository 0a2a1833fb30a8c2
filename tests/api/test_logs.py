"""What a line of the logs may say, and that nothing else gets into one."""

import ast
import json
from collections.abc import Iterator

import pytest
import structlog

from api.logs import FIELDS, configure
from tests.contracts.tree import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
PACKAGES = ("domain", "projections", "schema", "adapters", "api", "demo")


def test_a_field_that_nobody_reviewed_is_dropped_and_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure()
    structlog.get_logger("a").warning("a.b", tenant="riverside", patient="Rosa", born="1961")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["tenant"], line["dropped"]) == (
        "a.b",
        "riverside",
        ["born", "patient"],
    )
    assert "Rosa" not in str(line)


def test_every_field_that_the_code_logs_is_allowed() -> None:
    told = set(_fields())
    assert {"correlation", "tenant", "reason"} <= told <= FIELDS


def _fields() -> Iterator[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _logs(node.func):
                    yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def _logs(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LEVELS
        and isinstance(function.value, ast.Name)
        and function.value.id == "_log"
    )
