"""The GraphQL face: types, queries, mutations and subscriptions, one module per capability.

A resolver is one expression: one read or one command, through the context it is given.
"""
