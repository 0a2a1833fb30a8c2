"""What can be read: pure functions from an event to rows, and the reads over those rows.

A projection can be dropped and rebuilt to the same rows, so nothing is decided here.
"""
