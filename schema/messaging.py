"""The GraphQL face of messaging: read, send, triage, recall, and hear of new messages.

A subscription carries ids; the text comes through a read, which is audited.
"""
