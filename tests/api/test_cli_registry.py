"""The registry's acts on the command line: who, why, once per key, resumable matching."""

import json
from pathlib import Path

import pytest

from domain.registry import NotMerged
from tests.api.test_cli import NAMED, Console, bundles, importing, peopled

__all__ = ["peopled"]
HERE = ("--tenant", "riverside", *NAMED)
LINKS = "SELECT person::text, chart::text FROM model.registry_link WHERE tenant = 'riverside'"


def charts(console: Console) -> list[str]:
    """Two charts of riverside."""
    found = console.rows("SELECT chart::text FROM model.registry_chart"
                         " WHERE tenant = 'riverside' ORDER BY chart LIMIT 2")  # fmt: skip
    return [row["chart"] for row in found]


def types(console: Console, beyond: int) -> list[str]:
    """The events of riverside beyond a position."""
    found = console.rows(
        "SELECT type FROM event WHERE tenant = 'riverside' AND position > %s ORDER BY position",
        beyond,
    )
    return [row["type"] for row in found]


def test_a_merge_is_done_once_reviewed_and_undone_with_operator_and_reason(
    peopled: Console,
) -> None:
    one, other = charts(peopled)
    before, links = peopled.head(), peopled.rows(LINKS + " ORDER BY 1, 2")
    merge = ("merge", one, other, *HERE, "--key", "k", "--json")
    (first,) = peopled.lines(*merge)
    (again,) = peopled.lines(*merge)
    assert (first["first"], first["repeated"]) == (before + 1, False)
    assert again == {**first, "repeated": True}
    assert types(peopled, before)[:2] == ["registry.chart-merged", "registry.chart-absorbed"]
    stored = peopled.rows("SELECT context FROM event WHERE position = %s AND tenant = 'riverside'",
                          before + 1)  # fmt: skip
    assert b'"actor":"olga"' in stored[0]["context"]
    assert b'"reason":"a request of the patient"' in stored[0]["context"]
    assert peopled.rows(LINKS + " ORDER BY 1, 2") != links
    assert "nothing to do" in peopled.run("merge", one, other, *HERE).stdout
    assert "done at positions" in peopled.run("review-merge", one, *HERE).stdout
    peopled.run("unmerge", one, *HERE)
    assert peopled.rows(LINKS + " ORDER BY 1, 2") == links
    refused = peopled.run("unmerge", one, *HERE, code=1).output
    assert refused == f"Error: {NotMerged().message} [registry.not_merged]\n"


def test_a_link_and_a_death_are_done_and_taken_back(peopled: Console) -> None:
    one, other = charts(peopled)
    links = peopled.rows(LINKS + " ORDER BY 1, 2")
    peopled.run("link", one, other, *HERE)
    peopled.run("undo-link", one, *HERE)
    assert peopled.rows(LINKS + " ORDER BY 1, 2") == links
    died = "SELECT count(*) AS n FROM model.registry_death WHERE chart = %s"
    peopled.run("report-death", one, "--at", "2026-03", *HERE)
    assert peopled.rows(died, one) == [{"n": 1}]
    peopled.run("correct-death", one, *HERE)
    assert peopled.rows(died, one) == [{"n": 0}]
    refused = peopled.run("report-death", one, "--at", "soon", *HERE, code=1).output
    assert refused.endswith(" [registry.death_time_unclear]\n")


@pytest.mark.parametrize("given", ["x", "chart_x"])
def test_a_chart_that_is_none_is_a_usage_error_and_writes_nothing(
    peopled: Console, given: str
) -> None:
    before = peopled.head()
    peopled.run("unmerge", given, *HERE, code=2)
    assert peopled.head() == before


@pytest.mark.parametrize("act", ["link", "merge", "undo-link", "unmerge", "review-merge", "match"])
def test_every_act_needs_an_operator_and_a_reason(peopled: Console, act: str) -> None:
    one, other = charts(peopled)
    named = {"match": (), "link": (one, other), "merge": (one, other)}.get(act, (one,))
    before = peopled.head()
    assert "--operator" in peopled.run(act, *named, "--tenant", "riverside", code=2).output
    missing = peopled.run(act, *named, "--tenant", "riverside", "--operator", "olga", code=2)
    assert "--reason" in missing.output
    assert peopled.head() == before


def test_matching_proposes_once_and_goes_on_beyond_a_chart(
    peopled: Console, tmp_path: Path
) -> None:
    folder = bundles(tmp_path / "in", "daniel")
    bundle = json.loads((folder / "daniel.json").read_text())
    (patient,) = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    patient["identifier"][0]["value"] = "another number"
    number = peopled.rows("SELECT count(*) AS n FROM model.registry_chart")[0]["n"]
    (folder / "daniel.json").write_text(json.dumps(bundle))
    peopled.run(*importing(folder))
    assert peopled.rows("SELECT count(*) AS n FROM model.registry_chart") == [{"n": number + 1}]
    found = peopled.rows("SELECT count(*) AS n FROM model.registry_match")[0]["n"]
    linked = peopled.rows("SELECT person FROM model.registry_link GROUP BY 1 HAVING count(*) > 1")
    assert found + len(linked) == 1
    (first,) = peopled.lines("match", *HERE, "--json")
    assert (first["proposed"], first["linked"]) == (0, 0)
    assert first["compared"] >= 1
    (again,) = peopled.lines("match", *HERE, "--json")
    assert (again["proposed"], again["linked"]) == (0, 0)
    (rest,) = peopled.lines("match", "--after", first["last_chart"], *HERE, "--json")
    assert rest["charts"] == 0
    assert "0 linked, 0 proposed" in peopled.run("match", *HERE).stdout
