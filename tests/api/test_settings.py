"""Settings from the environment: what is absent is named, what is given wins."""

from pathlib import Path

import pytest

from api.settings import SettingMissing, Settings, SettingUnclear

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


@pytest.mark.parametrize(("given", "only"), [("", False), ("0", False), ("1", True)])
def test_trusted_documents_only_is_switched_on_with_a_one(given: str, only: bool) -> None:
    settings = Settings.from_environment({**GIVEN, "ANAMNESIS_TRUSTED_ONLY": given})
    assert settings.trusted_only is only


def test_a_switch_that_is_neither_on_nor_off_is_named() -> None:
    with pytest.raises(SettingUnclear) as unclear:
        Settings.from_environment({**GIVEN, "ANAMNESIS_TRUSTED_ONLY": "yes"})
    assert unclear.value.args == ("ANAMNESIS_TRUSTED_ONLY",)
