"""A record of a key, and what orders its end."""

from adapters.keys import KeyRecord

COMPARTMENT = KeyRecord(
    id="compartment",
    tenant="clinic",
    kind="compartment",
    owner="chart",
    key_class="clinical",
    epoch=1,
    parent=None,
    wrapped=b"w" * 93,
    commitment=b"c" * 32,
)

SIGNATURES = {"compartment": b"s", "item": b"s"}
