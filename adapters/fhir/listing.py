"""Directory entries, under every identifier that somebody may have awaited them by."""

from dataclasses import replace

from adapters.fhir.desk import Desk
from adapters.fhir.reading import Entry
from domain.directory import ListOrganization, ListPlace, ListPractitioner


def only_new(entry: Entry) -> bool:
    """Whether the sender asked to leave what is listed as it is (a conditional create)."""
    return bool(entry.demand and entry.demand.if_none_exist)


async def list_entry(
    desk: Desk, entry: Entry, command: ListOrganization | ListPractitioner | ListPlace, kind: str
) -> None:
    """Where it was awaited under several identifiers apart, it is listed in each of the places."""
    await desk.keep(None, entry)
    stream = await desk.do(entry, command)
    for key in desk.awaiting.elsewhere(entry, stream):
        await desk.act(entry, replace(command, key=key, also=()))
    desk.settle(kind, entry)
