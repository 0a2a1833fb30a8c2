"""The GraphQL face of billing: see a statement, pay it, agree on instalments.

An amount is always a pair of cents and currency.
"""
