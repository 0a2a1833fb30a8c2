"""The GraphQL face of notifications: choose channels and hours, see past notices.

A category that the law makes compulsory is shown and cannot be switched off.
"""
