"""Decisions without any fixture: given events, when a command, then events or a refusal."""
