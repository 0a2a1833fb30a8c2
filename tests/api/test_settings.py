"""Settings from the environment: what is absent is named, what is given wins."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from api.settings import KNOWN, SettingMissing, Settings, SettingUnclear, SettingUnknown

GIVEN = {
    "ANAMNESIS_DSN": "postgresql://owner:secret@db.example:6432/anamnesis?sslmode=require",
    "ANAMNESIS_KEYS": "/keys",
    "ANAMNESIS_OBJECTS": "/objects",
}


@pytest.mark.parametrize("name", GIVEN)
def test_an_absent_setting_is_named(name: str) -> None:
    with pytest.raises(SettingMissing) as missing:
        Settings.from_environment({**GIVEN, name: ""})
    assert missing.value.args == (name,)


def test_a_role_signs_in_as_itself_without_the_owners_password() -> None:
    settings = Settings.from_environment(GIVEN)
    assert settings.role_dsn("api") == (
        "postgresql://anamnesis_api@db.example:6432/anamnesis?sslmode=require"
    )
    assert (settings.keys, settings.profile) == (Path("/keys"), "production")


def test_a_dsn_that_is_given_for_a_role_wins() -> None:
    settings = Settings.from_environment({**GIVEN, "ANAMNESIS_DSN_API": "postgresql://a@b/c"})
    assert settings.role_dsn("api") == "postgresql://a@b/c"
    assert settings.role_dsn("auditor").startswith("postgresql://anamnesis_auditor@")


def test_a_role_signs_in_at_the_replica_as_at_the_primary() -> None:
    replica = "postgresql://owner:secret@second.example:6433/anamnesis?sslmode=require"
    given = {**GIVEN, "ANAMNESIS_REPLICA": replica, "ANAMNESIS_DSN_API": "postgresql://a:b@c/d"}
    settings = Settings.from_environment(given)
    assert settings.replica_dsn("api") == (
        "postgresql://a:b@second.example:6433/anamnesis?sslmode=require"
    )
    assert settings.replica_dsn("projector") == (
        "postgresql://anamnesis_projector@second.example:6433/anamnesis?sslmode=require"
    )
    assert Settings.from_environment(GIVEN).replica_dsn("api") is None


def test_how_many_operations_at_once_is_a_number_or_by_the_machine() -> None:
    assert Settings.from_environment(GIVEN).in_service == 0
    assert Settings.from_environment({**GIVEN, "ANAMNESIS_IN_SERVICE": "6"}).in_service == 6
    with pytest.raises(SettingUnclear):
        Settings.from_environment({**GIVEN, "ANAMNESIS_IN_SERVICE": "many"})


@pytest.mark.parametrize(("given", "only"), [("", False), ("0", False), ("1", True)])
def test_trusted_documents_only_is_switched_on_with_a_one(given: str, only: bool) -> None:
    settings = Settings.from_environment({**GIVEN, "ANAMNESIS_TRUSTED_ONLY": given})
    assert settings.trusted_only is only


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANAMNESIS_TRUSTED_ONLY", "yes"),
        ("ANAMNESIS_PROFILE", "prodution"),
        ("ANAMNESIS_IN_SERVICE", "-1"),
        ("ANAMNESIS_DSN", "db.example"),
        ("ANAMNESIS_DSN_API", "mysql://a@b/c"),
    ],
)
def test_a_setting_that_is_not_understood_is_named_with_what_is_wanted(
    name: str, value: str
) -> None:
    with pytest.raises(SettingUnclear, match=name) as unclear:
        Settings.from_environment({**GIVEN, name: value})
    assert unclear.value.name == name
    assert value not in str(unclear.value)


def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(SettingUnknown, match="did you mean ANAMNESIS_TRUSTED_ONLY"):
        Settings.from_environment({**GIVEN, "ANAMNESIS_TRUSTED_ONLLY": "1"})


def test_a_process_is_not_started_by_settings_that_it_does_not_know(tmp_path: Path) -> None:
    given = {**GIVEN, "ANAMNESIS_KEYS": str(tmp_path), "ANAMNESIS_COLOUR": "blue"}
    result = CliRunner().invoke(main, ["serve"], env=given)
    assert result.exit_code == 1
    assert "ANAMNESIS_COLOUR" in result.output
    assert "Traceback" not in result.output


def test_every_setting_is_in_the_guide_and_no_other() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "settings.md").read_text()
    table = [line for line in guide.splitlines() if line.startswith("| `")]
    named = {name for line in table for name in re.findall(r"`(ANAMNESIS_[A-Z_]+)`", line)}
    assert named == {f"ANAMNESIS_{name}" for name in KNOWN}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP", "http://mail"),
        ("REDIS", "localhost"),
        ("HEADS_STORE", "/folder"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_COMPLIANCE", "a@b c"),
        ("RETENTION", "audit:10"),
        ("RETENTION", "audit=x"),
        ("RETENTION", "everythin=7"),
    ],
)
def test_what_is_not_understood_is_named(name: str, value: str) -> None:
    given = {"ANAMNESIS_DSN": "postgresql://x@/x", "ANAMNESIS_KEYS": "k", "ANAMNESIS_OBJECTS": "o"}
    with pytest.raises(SettingUnclear, match=f"ANAMNESIS_{name}"):
        Settings.from_environment({**given, f"ANAMNESIS_{name}": value})


def test_mail_and_retention_are_read() -> None:
    made = Settings.from_environment(
        {
            "ANAMNESIS_DSN": "postgresql://x@/x",
            "ANAMNESIS_KEYS": "k",
            "ANAMNESIS_OBJECTS": "o",
            "ANAMNESIS_SMTP": "smtps://mail.example",
            "ANAMNESIS_MAIL_COMPLIANCE": "a@b.example c@d.example",
            "ANAMNESIS_RETENTION": "audit=12 everything=7",
        }
    )
    assert made.mail.compliance == ("a@b.example", "c@d.example")
    assert made.retention == {"audit": 12, "everything": 7}
