"""Conversations between a patient, their proxies and a care team.

Stream: one per conversation. Who takes part, what was answered and what was recalled is one order
of facts that all of them share, so no smaller boundary could decide a recall.
"""
