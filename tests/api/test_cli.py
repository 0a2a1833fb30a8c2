"""The command line on a house that the environment names: codes, counts, and what the log keeps."""

import asyncio
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import dict_row

from adapters.embedded import EmbeddedPostgres
from api.app import ids_of
from api.cli import main
from api.cli.place import actionable, settings_at
from api.house import open_house
from api.keystore import create_root
from api.serving import listen
from api.settings import SettingMissing, Settings
from demo.seed import source_of
from demo.stories import bundle_bytes, expected_counts, stories
from tests.api.world import Seedbed, planted

NAMED = ("--operator", "olga", "--reason", "a request of the patient")
Json = dict[str, Any]


@dataclass(frozen=True)
class Console:
    """A terminal in a house, and a superuser beside it."""

    dsn: str
    environment: Mapping[str, str]

    def run(self, *words: str, code: int | None = 0) -> Result:
        """The outcome of `anamnesis WORDS`."""
        result = CliRunner().invoke(main, words, env=dict(self.environment))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert code is None or result.exit_code == code, result.output
        return result

    def lines(self, *words: str, code: int = 0) -> list[Json]:
        """Its standard output as JSON objects, one a line."""
        return [json.loads(line) for line in self.run(*words, code=code).stdout.splitlines()]

    def rows(self, statement: str, *values: object) -> list[Json]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def owner(self, *statements: str) -> None:
        """What only somebody with the owner's password could do."""
        with psycopg.connect(self.dsn) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    async def opaque(self, chart: str) -> str:
        """The id of a chart of riverside as front ends see it."""
        async with open_house(Settings.from_environment(self.environment)) as house:
            return (await ids_of(house, "riverside")).hide("chart", chart)

    def head(self, tenant: str = "riverside") -> int:
        (row,) = self.rows("SELECT position FROM log_head WHERE tenant = %s", tenant)
        return int(row["position"])


@contextmanager
def _console(dsn: str, folder: Path) -> Iterator[Console]:
    places = {"ANAMNESIS_KEYS": folder / "keys", "ANAMNESIS_OBJECTS": folder / "objects"}
    yield Console(dsn, {"ANAMNESIS_DSN": dsn, **{name: str(at) for name, at in places.items()}})


@pytest.fixture
def console(dsn: str, tmp_path: Path) -> Iterator[Console]:
    """An empty house."""
    with _console(dsn, tmp_path / "house") as made:
        create_root(Settings.from_environment(made.environment))
        yield made


@pytest.fixture
def peopled(seedbed: Seedbed, tmp_path: Path) -> Iterator[Console]:
    """A house with the story people."""
    with (
        planted(seedbed, tmp_path) as settings,
        _console(settings.dsn, settings.keys.parent) as made,
    ):
        yield made


def bundles(folder: Path, *keys: str) -> Path:
    """A folder with the bundles of these stories."""
    folder.mkdir()
    for story in stories():
        if story.key in keys:
            (folder / f"{story.key}.json").write_bytes(bundle_bytes(story))
    return folder


def importing(folder: Path) -> tuple[str, ...]:
    source = source_of("riverside")
    return ("import", "fhir", str(folder), "--tenant", "riverside", "--source", source, *NAMED)


def test_an_import_counts_every_resource_and_repeated_changes_nothing(
    console: Console, tmp_path: Path
) -> None:
    folder = bundles(tmp_path / "in", "daniel")
    (first,) = console.lines(*importing(folder), "--json")
    story = next(one for one in stories() if one.key == "daniel")
    assert first["resources"] == expected_counts(story)
    assert first["problems"] == []
    assert first["events_written"] == console.head() > 20
    assert first["last_position"] == console.head()
    (checkpoint,) = console.rows("SELECT min(position) AS at FROM checkpoint "
                                 "WHERE tenant = 'riverside'")  # fmt: skip
    assert checkpoint["at"] == console.head()
    (again,) = console.lines(*importing(folder), "--json")
    assert (again["events_written"], again["resources"]) == (0, first["resources"])
    assert again["unchanged"] == sum(again["commands"].values())
    assert console.head() == first["events_written"]
    assert "0 events written" in console.run(*importing(folder)).stdout


def test_a_malformed_file_is_named_and_the_rest_goes_in(console: Console, tmp_path: Path) -> None:
    folder = bundles(tmp_path / "in", "daniel")
    (folder / "broken.json").write_text('{"resourceType": "Bundle", "entry": [')
    (report,) = console.lines(*importing(folder), "--json", code=1)
    assert [Path(problem["file"]).name for problem in report["problems"]] == ["broken.json"]
    assert report["events_written"] == console.head() > 20
    words = console.run(*importing(folder), code=1).stdout
    assert "broken.json" in words
    assert "Daniel" not in words


def test_an_import_needs_an_operator_a_reason_and_a_tenant(
    console: Console, tmp_path: Path
) -> None:
    folder = bundles(tmp_path / "in", "daniel")
    source = ("--source", "urn:x")
    path = ("import", "fhir", str(folder), *source)
    assert "--operator" in console.run(*path, code=2).output
    assert "lakeside, riverside" in console.run(*path, *NAMED, code=2).output
    assert console.head() == 0


def test_a_replay_shows_exactly_the_selected_events_in_order(
    peopled: Console, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    request.addfinalizer(time.tzset)
    request.addfinalizer(monkeypatch.undo)
    head = peopled.head()
    trail = peopled.rows("SELECT * FROM model.audit_trail WHERE tenant = 'riverside' ORDER BY 5, 2")
    chart = str(next(row["chart"] for row in trail if row["chart"] is not None))
    stream = str(trail[7]["stream"])
    since = trail[50]["at"]
    stamp = since.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%S%z")
    second = since.replace(microsecond=0)
    naive = second.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    opaque = asyncio.run(peopled.opaque(chart))
    for words, selected in (
        (("--chart", chart), lambda row: str(row["chart"]) == chart),
        (("--stream", stream), lambda row: str(row["stream"]) == stream),
        (("--actor", "demo"), lambda row: row["actor"] == "demo"),
        (("--since", stamp), lambda row: row["at"] >= second),
        (("--until", stamp), lambda row: row["at"] < second),
        (("--since", naive), lambda row: row["at"] >= second),
        (("--chart", opaque), lambda row: str(row["chart"]) == chart),
        (("--chart", chart, "--at", "40"), lambda row: str(row["chart"]) == chart
         and row["position"] <= 40),
    ):  # fmt: skip
        replay = ("replay", "--tenant", "riverside", "--json", *words)
        found = [line["position"] for line in peopled.lines(*replay, *NAMED)]
        known = [row["position"] for row in trail if selected(row) and row["position"] <= head]
        assert [position for position in found if position <= head] == sorted(known), words


def test_a_replayed_line_holds_header_context_and_body(peopled: Console) -> None:
    lines = peopled.lines("replay", "--tenant", "riverside", "--at", "30", "--json", *NAMED)
    assert [line["position"] for line in lines] == list(range(1, 31))
    for line in lines:
        (row,) = peopled.rows(
            "SELECT * FROM event WHERE tenant = 'riverside' AND position = %s", line["position"]
        )
        assert line["header"] == json.loads(bytes(row["header"])) | {
            "chart": line["header"]["chart"]
        }
        assert line["version"] == row["version"]
        assert UUID(line["header"]["event"])
        assert line["context"]["reason"] == "seed the demonstration"
        assert line["event"]
    opened = [line["event"] for line in lines if line["header"]["type"] == "registry.chart-opened"]
    assert any("names" in fact["demographics"] for fact in opened)


def test_a_replay_is_an_event_with_operator_and_reason_before_its_output(peopled: Console) -> None:
    before = peopled.head()
    shown = peopled.lines("replay", "--tenant", "riverside", "--at", "30", "--json", *NAMED)
    replay = ("replay", "--tenant", "riverside", "--actor", "olga", "--json", *NAMED)
    (recorded,) = peopled.lines(*replay)
    assert recorded["position"] == before + 1
    assert recorded["header"]["type"] == "audit.audit-replayed"
    assert recorded["event"]["selection"] == "upto=30"
    assert (recorded["event"]["count"], recorded["event"]["last"]) == (len(shown), 30)
    stated = recorded["context"]
    assert (stated["actor"], stated["actor_kind"]) == ("olga", "operator")
    assert stated["reason"] == "a request of the patient"
    assert (stated["rule"], stated["basis"]) == ("audit.replay", "role")
    words = peopled.run("replay", "--tenant", "riverside", "--at", "3", *NAMED).stdout
    assert len(words.splitlines()) == 3
    assert "seed the demonstration" in words
    assert peopled.head() == before + 3


def test_a_replay_that_cannot_be_put_on_record_shows_nothing(peopled: Console) -> None:
    before = peopled.head()
    peopled.owner("REVOKE EXECUTE ON FUNCTION log_append FROM anamnesis_api")
    refused = peopled.run("replay", "--tenant", "riverside", "--at", "30", *NAMED, code=1)
    assert refused.stdout == ""
    assert "LogUnavailable" in refused.stderr
    assert peopled.head() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "3"),
        (*NAMED,),
        ("--at", "0", *NAMED),
        ("--since", "yesterday", *NAMED),
        ("--chart", "rosa", *NAMED),
        ("--chart", "chart_rosa", *NAMED),
        ("--stream", "7", *NAMED),
    ],
)
def test_a_replay_without_selection_or_name_is_a_usage_error(
    console: Console, words: tuple[str, ...]
) -> None:
    result = console.run("replay", "--tenant", "riverside", *words, code=2)
    assert result.stdout == ""
    assert console.head() == 0


def test_verify_passes_and_after_tampering_names_the_first_wrong_position(
    peopled: Console,
) -> None:
    answers = peopled.lines("verify", "--json")
    assert [(one["tenant"], one["ok"]) for one in answers] == [
        ("lakeside", True),
        ("riverside", True),
    ]
    assert answers[1]["events"] == peopled.head()
    peopled.owner(
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "UPDATE event SET body = body || '\\x00'"
        " WHERE tenant = 'riverside' AND position IN (31, 9)",
        "ALTER TABLE event ENABLE TRIGGER ALL",
    )
    words = peopled.run("verify", code=1).stdout
    assert "WRONG at position 9: leaf" in words
    assert "every leaf, the root" in words.partition("riverside")[0]
    (wrong,) = peopled.lines("verify", "--tenant", "riverside", "--json", code=1)
    assert wrong["wrongs"][0]["position"] == 9
    peopled.run("verify", "--tenant", "nowhere", code=2)


def test_an_anchor_that_was_kept_outside_is_held_against_the_log(
    peopled: Console, tmp_path: Path
) -> None:
    kept = tmp_path / "anchors"
    lines = peopled.run("anchor", "--to", str(kept)).stdout
    assert kept.read_text() == lines
    peopled.run("verify", "--anchors", str(kept))
    kept.write_text(lines.replace(lines[-3:], "00\n"))
    assert "anchor" in peopled.run("verify", "--anchors", str(kept), code=1).stdout
    kept.write_text("nonsense")
    peopled.run("verify", "--anchors", str(kept), code=2)


def test_a_rebuild_ends_with_the_rows_that_it_found(peopled: Console) -> None:
    tables = ("records_condition", "records_observation", "records_allergy")
    clear = 'SELECT tenant, chart, id, at, state, kind, "position" FROM model.{} ORDER BY 1, 2, 3'
    before = [peopled.rows(clear.format(table)) for table in tables]
    (answer,) = peopled.lines("rebuild", "records", "--json")
    assert [peopled.rows(clear.format(table)) for table in tables] == before
    assert answer["rows"]["records_condition"] == len(before[0]) > 20
    assert answer["poisoned"] == 0
    words = peopled.run("rebuild", "audit").stdout
    assert words.startswith("audit: ")
    assert "audit_trail" in words
    peopled.run("rebuild", "nothing", code=2)


def test_migrating_twice_applies_nothing_the_second_time(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    dsn = postgres.create_database("migrated_twice")
    try:
        with _console(dsn, tmp_path) as console:
            first = console.run("migrate", "--tenant", "riverside").stdout
            assert "0001_roles" in first
            assert "nothing new" in console.run("migrate", "--tenant", "riverside").stdout
            assert console.head() == 0
    finally:
        postgres.drop_database("migrated_twice")


def test_a_demo_that_ended_without_a_word_is_found_by_its_folder(tmp_path: Path) -> None:
    gone = f"postgresql://postgres@/postgres?host={tmp_path / 'gone'}&port=5432"
    note = tmp_path / "running.json"
    empty = {name: value for name, value in os.environ.items() if "ANAMNESIS_" not in name}
    (tmp_path / "postgres").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", empty)
        note.write_text(json.dumps({"dsn": gone, "pid": os.getpid()}))
        with settings_at(tmp_path) as found:
            assert found.dsn != gone
            with psycopg.connect(found.dsn) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            note.write_text(json.dumps({"dsn": found.dsn, "pid": os.getpid()}))
            with settings_at(tmp_path) as again:
                assert again == found
        for broken in ("", "{}", "[]", '{"dsn": 7}', '{"dsn": "postgresql://postgres@/"}'):
            note.write_text(broken)
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            (tmp_path / "elsewhere" / "running.json").write_text(broken)
            with pytest.raises(SettingMissing), settings_at(tmp_path / "elsewhere"):
                pass


def test_a_taken_port_is_a_sentence_and_not_a_traceback() -> None:
    @click.command()
    @actionable
    def take() -> None:
        with closing(listen(0)) as first:
            listen(first.getsockname()[1])

    result = CliRunner().invoke(take)
    assert result.exit_code == 1
    assert "Another program listens on this port" in result.stderr


def test_without_a_house_the_missing_setting_is_named(tmp_path: Path) -> None:
    empty = dict.fromkeys((name for name in os.environ if name.startswith("ANAMNESIS_")), None)
    words = ["verify", "--dir", str(tmp_path)]
    result = CliRunner().invoke(main, words, env=empty)
    assert result.exit_code == 1
    assert "ANAMNESIS_DSN" in result.stderr
    result = CliRunner().invoke(main, ["migrate"], env=empty)
    assert result.exit_code == 1
    assert "ANAMNESIS_DSN" in result.output
