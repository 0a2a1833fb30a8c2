"""Appointments: slots held, booked, moved, cancelled and offered to those who wait.

Streams: one per appointment, one per resource and local day, one per waitlist entry. The day of a
resource is a small stream of claims, so overlap, buffers and capacity are decided by folding it;
an appointment has its own history, and both are appended together.
Outside world: EHR scheduling.
"""
