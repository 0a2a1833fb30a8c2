"""Accounts: which person or practitioner an account is."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.identity import AccountClosed, AccountOpened
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Column, Drop, Projection, Put, Table, Write

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """What is shown of an account to its owner."""

    display_name: str


ACCOUNT = Table(
    "identity_account",
    (Column("account", "uuid"),),
    (Column("person", "uuid"), Column("practitioner", "uuid"), Column("version", "bigint")),
    AccountRow,
)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per open account."""
    event, stream = recorded.event, recorded.header.stream
    match event:
        case AccountOpened():
            values = {
                "account": stream,
                "person": event.person,
                "practitioner": event.practitioner,
                "version": recorded.version,
            }
            yield Put(ACCOUNT, values, AccountRow(display_name=event.display_name), owner=stream)
        case (
            AccountClosed()
            | Erased(type_name=AccountClosed.type_name)
            | Unknown(type_name=AccountClosed.type_name)
        ):
            yield Drop(ACCOUNT, {"account": stream})


PROJECTION = Projection("identity", VERSION, (ACCOUNT,), (AccountOpened, AccountClosed), project)
