"""Where a process finds its database, keys and objects. Given DSNs always win over embedded.

A setting that is absent, not understood or not known ends the start with its name: a misspelt
variable must not be an unnoticed default.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from adapters.postgres.writer import Shape

ROLES = ("api", "projector", "worker", "auditor", "tool")
PROFILES = ("production", "development", "demo")
PREFIX = "ANAMNESIS_"
NEEDED = ("DSN", "KEYS", "OBJECTS")
_ROLE_DSNS = {role: f"DSN_{role.upper()}" for role in ROLES}
KNOWN = frozenset(
    {
        *NEEDED, *_ROLE_DSNS.values(), "APPEND", "HEADS", "HEADS_FILE", "HEADS_MAIL_HOURS",
        "HEADS_STORE", "IN_SERVICE", "KEYS_DSN", "LOW_WATER", "MAIL_COMPLIANCE", "MAIL_FOLDER",
        "MAIL_FROM", "ORIGIN", "PROFILE", "REDIS", "REPLICA", "RETENTION", "ROOT", "ROOT_BEFORE",
        "ROOT_BEFORE_CREDENTIAL", "ROOT_CREDENTIAL", "SMTP", "TRUSTED_ONLY", "WAKE", "WITNESSES",
    }
)  # fmt: skip
ROOT_FILE = "file"
ORIGIN = "anamnesis.invalid"
SENDER = f"anamnesis@{ORIGIN}"
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_NAME = re.compile(r"[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)*")
BESIDE = frozenset(
    {
        "APPROVE", "FIRST_VERSION", "HISTORIES", "PG_BINARIES", "SAMPLES", "SEED", "SOAK", "TENANT",
    }
)  # fmt: skip
"""Variables of tests, and of the recorder of `adapters.library`."""


T = TypeVar("T", bound=str)
Wake = Literal["notify", "poll"]
SHAPES: tuple[Shape, ...] = ("batch", "tenant")
WAKES: tuple[Wake, ...] = ("notify", "poll")


class SettingMissing(Exception):
    """A setting is absent. Set the named environment variable, or use `anamnesis demo`."""


class SettingUnclear(Exception):
    """A setting is not understood. Give what is named, or leave the variable out."""

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(f"{name}: {wanted}")
        self.name = name


class SettingUnknown(Exception):
    """There is no such setting. Remove the variable, or correct its name."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name, [PREFIX + known for known in KNOWN], n=1)
        super().__init__(f"{name}; did you mean {near[0]}?" if near else name)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """How mail goes out: by `smtp`, else into a Maildir `folder`, else it waits."""

    smtp: str | None = None
    folder: Path | None = None
    sender: str = SENDER
    compliance: tuple[str, ...] = ()
    """Addresses that signed heads and certificates go to."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Mail":
        """The variables that begin with MAIL, and SMTP. Raises SettingUnclear."""
        return cls(
            smtp=_url("SMTP", given, ("smtp", "smtps")),
            folder=_path("MAIL_FOLDER", given),
            sender=_addresses("MAIL_FROM", given, SENDER)[0],
            compliance=_addresses("MAIL_COMPLIANCE", given, ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RootNames:
    """What wraps tenants' keys: the file beside the key store, or the URL of a service's key.

    Roots of `before` may still have wrapped some, from before the installation moved. A credential
    is the file of Vault's token, or a Google service account's key file.
    """

    newest: str = ROOT_FILE
    before: tuple[str, ...] = ()
    credential: Path | None = None
    before_credential: Path | None = None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "RootNames":
        """The variables that begin with ROOT."""
        credential = _path("ROOT_CREDENTIAL", given)
        return cls(
            newest=given.get("ROOT", ROOT_FILE),
            before=tuple(given.get("ROOT_BEFORE", "").split()),
            credential=credential,
            before_credential=_path("ROOT_BEFORE_CREDENTIAL", given) or credential,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `open_house` needs; `dsn` is the owner's, the roles sign in with their own.

    `roles` holds the DSNs that were given per role, by role name. With `trusted_only` the API
    executes the documents of schema/operations and no other. `origin` is what names of logs begin
    with where others check them: a URL without its scheme.
    """

    dsn: str
    keys: Path
    objects: Path
    profile: str = "production"
    in_service: int = 0
    """Operations at once; by cores and connections where it is 0."""
    trusted_only: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    origin: str = ORIGIN
    heads: Path | None = None
    heads_file: Path | None = None
    """Signed heads are added to this file, too."""
    heads_store: str | None = None
    """URL of an object store that each signed head is put into, once: s3://bucket/path, file://."""
    heads_mail_hours: int = 0
    """A signed head of each log is mailed to compliance after so many hours; never where 0."""
    keys_dsn: str | None = None
    """The PostgreSQL of the key store, apart from the log's; a file below `keys` unless set."""
    low_water: Mapping[Path, int] = field(default_factory=dict)
    """Bytes that must be free where the log grows; with less, nothing is changed any more."""
    root: RootNames = field(default_factory=lambda: RootNames())
    append: Shape = "batch"
    """One call of the log for commands of several tenants, or for those of one that it names."""
    wake: Wake = "notify"
    """How processes hear of each other: by NOTIFY, or by asking for heads."""
    replica: str | None = None
    """DSN of a streaming replica for reads and rebuilds; each role signs in as at the primary."""
    redis: str | None = None
    """URL of the Redis or Valkey that wakes workers."""
    mail: Mail = field(default_factory=lambda: Mail())
    retention: Mapping[str, int] = field(default_factory=dict)
    """Years that a class of a chart is kept at least after its newest event, by class."""
    witnesses: tuple[tuple[str, str], ...] = ()
    """URL and verifier key of each witness that heads are brought to."""

    @property
    def kept_heads(self) -> Path:
        """The folder of the heads that were signed last: the given one, else beside the keys."""
        return self.heads or self.keys / "heads"

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

    def replica_dsn(self, role: str) -> str | None:
        """The DSN of a role at the replica, if there is one: its user and password are the same."""
        if self.replica is None:
            return None
        who = urlsplit(self.role_dsn(role)).netloc.rpartition("@")[0]
        parts = urlsplit(self.replica)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{who}@{host}" if who else host))

    @classmethod
    def in_folder(cls, folder: Path, dsn: str, profile: str = "production") -> "Settings":
        """Keys and objects below one folder."""
        return cls(dsn=dsn, keys=folder / "keys", objects=folder / "objects", profile=profile)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """The variables of docs/guides/settings.md.

        Raises SettingMissing, SettingUnclear or SettingUnknown with the variable's name.
        """
        given = {
            name.removeprefix(PREFIX): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and value
        }
        for name in sorted(given.keys() - KNOWN - BESIDE):
            raise SettingUnknown(PREFIX + name)
        for name in NEEDED:
            if name not in given:
                raise SettingMissing(PREFIX + name)
        return cls(
            dsn=_dsn("DSN", given),
            keys=Path(given["KEYS"]),
            objects=Path(given["OBJECTS"]),
            profile=_one_of("PROFILE", given, PROFILES),
            in_service=_count("IN_SERVICE", given),
            trusted_only=_one_of("TRUSTED_ONLY", given, ("0", "1")) == "1",
            roles={role: _dsn(name, given) for role, name in _ROLE_DSNS.items() if name in given},
            origin=_origin("ORIGIN", given),
            heads=_path("HEADS", given),
            heads_file=_path("HEADS_FILE", given),
            heads_store=_url("HEADS_STORE", given, ("s3", "gs", "az", "file")),
            heads_mail_hours=_count("HEADS_MAIL_HOURS", given),
            keys_dsn=_dsn("KEYS_DSN", given) if "KEYS_DSN" in given else None,
            low_water=_rooms("LOW_WATER", given),
            root=RootNames.of(given),
            append=_one_of("APPEND", given, SHAPES),
            wake=_one_of("WAKE", given, WAKES),
            replica=_dsn("REPLICA", given) if "REPLICA" in given else None,
            redis=_url("REDIS", given, ("redis", "rediss", "unix")),
            mail=Mail.of(given),
            retention=_years("RETENTION", given),
            witnesses=_pairs("WITNESSES", given),
        )


def _dsn(name: str, given: Mapping[str, str]) -> str:
    scheme = given[name].partition("://")[0]
    if scheme not in ("postgresql", "postgres"):
        raise SettingUnclear(PREFIX + name, "postgresql://user@host:port/database")
    return given[name]


def _one_of(name: str, given: Mapping[str, str], known: tuple[T, ...]) -> T:
    """The given value, or the first of the known ones."""
    value = given.get(name, known[0])
    for one in known:
        if one == value:
            return one
    raise SettingUnclear(PREFIX + name, " or ".join(known))


def _origin(name: str, given: Mapping[str, str]) -> str:
    value = given.get(name, ORIGIN)
    if not _NAME.fullmatch(value):
        raise SettingUnclear(PREFIX + name, "a URL without its scheme, such as portal.example.org")
    return value


def _path(name: str, given: Mapping[str, str]) -> Path | None:
    return Path(given[name]) if name in given else None


def _pairs(name: str, given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    words = given.get(name, "").split()
    pairs = tuple(zip(words[::2], words[1::2], strict=False))
    sound = all(
        url.startswith(("https://", "http://")) and key.count("+") >= 2 for url, key in pairs
    )
    if len(words) % 2 or not sound:
        raise SettingUnclear(
            PREFIX + name, "https://witness.example name+hash+key, several in a row"
        )
    return pairs


def _url(name: str, given: Mapping[str, str], schemes: tuple[str, ...]) -> str | None:
    value = given.get(name)
    if value is not None and value.partition("://")[0] not in schemes:
        raise SettingUnclear(PREFIX + name, " or ".join(f"{scheme}://..." for scheme in schemes))
    return value


def _addresses(name: str, given: Mapping[str, str], otherwise: str) -> tuple[str, ...]:
    words = tuple(given.get(name, otherwise).split())
    if not all(_ADDRESS.fullmatch(word) for word in words):
        raise SettingUnclear(PREFIX + name, "addresses such as officer@clinic.example")
    return words


def _years(name: str, given: Mapping[str, str]) -> Mapping[str, int]:
    found = {}
    for word in given.get(name, "").split():
        kind, _, years = word.partition("=")
        known = kind in ("everything", "audit") or _CODE.fullmatch(kind)
        if not (known and years.isascii() and years.isdigit() and len(years) <= 3):
            words = "everything=7 audit=12 HIV=10, in years, codes in capitals"
            raise SettingUnclear(PREFIX + name, words)
        found[kind] = int(years)
    return found


def _rooms(name: str, given: Mapping[str, str]) -> Mapping[Path, int]:
    found = {}
    for word in given.get(name, "").split():
        path, _, room = word.rpartition("=")
        if not (path.startswith("/") and room.isascii() and room.isdigit()):
            raise SettingUnclear(
                PREFIX + name, "/var/lib/postgresql=1024, in MiB, several in a row"
            )
        found[Path(path)] = int(room) << 20
    return found


def _count(name: str, given: Mapping[str, str]) -> int:
    value = given.get(name, "0")
    if not (value.isascii() and value.isdigit()):
        raise SettingUnclear(PREFIX + name, "a whole number")
    return int(value)
