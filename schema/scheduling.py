"""The GraphQL face of scheduling: find a slot, hold it, book, move, cancel, check in, wait.

A lost race is answered with the typed problem and other slots, not with an error.
"""
