"""The door of a record: open to everybody to whom at least one of its panels is open."""

from domain.kernel.rule import may, oneself, proxy, treating

SCOPES = ("records", "results", "prescriptions")
"""Each of these scopes of a grant opens at least one panel; every panel asks its own rule."""
opening = may("records.open", oneself, *map(proxy, SCOPES), treating)
