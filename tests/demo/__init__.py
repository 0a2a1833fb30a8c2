"""The demo as a stranger meets it."""
