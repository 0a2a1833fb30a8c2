"""Readings from devices at home, and the thresholds they cross.

Stream: one per device link and local day. Readings arrive in batches and late, so the day of one
device is small enough to fold for repeats and large enough to hold a batch as one event.
Outside world: wearables.
"""
