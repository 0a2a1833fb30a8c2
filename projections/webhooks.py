"""Subscriptions with the health of their lanes: delivered, waiting, parked.

A position leaves as an opaque token, a sequence number counts deliverables only.
"""
