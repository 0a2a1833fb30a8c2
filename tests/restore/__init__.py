"""Backups, and what comes back of them."""
