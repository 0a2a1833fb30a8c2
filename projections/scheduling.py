"""Appointments of a patient, the day of a resource, and the slots still open.

An open slot is computed from claims and the time asked for; an expired hold needs no event.
"""
