"""Where a process finds its database, keys and objects. Given DSNs always win over embedded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROLES = ("api", "projector", "worker", "auditor")


class SettingUnclear(Exception):
    """A setting is neither 0 nor 1. Give one of the two, or leave the variable out."""


class SettingMissing(Exception):
    """A setting is absent. Set the named environment variable, or use `anamnesis demo`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `open_house` needs; `dsn` is the owner's, the roles sign in with their own.

    `roles` holds the DSNs that were given per role, by role name. With `trusted_only` the API
    executes the documents of schema/operations and no other.
    """

    dsn: str
    keys: Path
    objects: Path
    profile: str = "production"
    trusted_only: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)

    def role_dsn(self, role: str) -> str:
        """The DSN of an application role: the given one, else the owner's with the role's user.

        The owner's password is not the role's and is left out.
        """
        if role in self.roles:
            return self.roles[role]
        parts = urlsplit(self.dsn)
        host = parts.netloc.rpartition("@")[2]
        user = f"anamnesis_{role}"
        return urlunsplit(parts._replace(netloc=f"{user}@{host}"))

    @classmethod
    def in_folder(cls, folder: Path, dsn: str, profile: str = "production") -> "Settings":
        """Keys and objects below one folder."""
        return cls(dsn=dsn, keys=folder / "keys", objects=folder / "objects", profile=profile)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """ANAMNESIS_DSN, ANAMNESIS_KEYS, ANAMNESIS_OBJECTS, ANAMNESIS_PROFILE,
        ANAMNESIS_TRUSTED_ONLY (1 or 0), and per role ANAMNESIS_DSN_API, _PROJECTOR, _WORKER,
        _AUDITOR.

        Raises SettingMissing or SettingUnclear with the variable's name.
        """
        for name in ("ANAMNESIS_DSN", "ANAMNESIS_KEYS", "ANAMNESIS_OBJECTS"):
            if not environment.get(name):
                raise SettingMissing(name)
        return cls(
            dsn=environment["ANAMNESIS_DSN"],
            keys=Path(environment["ANAMNESIS_KEYS"]),
            objects=Path(environment["ANAMNESIS_OBJECTS"]),
            profile=environment.get("ANAMNESIS_PROFILE", "production"),
            trusted_only=_switch(environment, "ANAMNESIS_TRUSTED_ONLY"),
            roles={
                role: environment[f"ANAMNESIS_DSN_{role.upper()}"]
                for role in ROLES
                if environment.get(f"ANAMNESIS_DSN_{role.upper()}")
            },
        )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    given = environment.get(name) or "0"
    if given not in ("0", "1"):
        raise SettingUnclear(name)
    return given == "1"
