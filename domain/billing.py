"""Statements, payments and instalments, in cents with a currency.

Stream: one per statement. What is still owed is the fold of one statement and its payments, so a
payment can never be taken twice; a payment over several statements appends to each, together.
Outside world: card processors.
"""
