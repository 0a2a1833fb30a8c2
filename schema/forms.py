"""The GraphQL face of forms: open the assigned form, save a page, submit, sign.

What is missing on a page is a typed problem that names its question.
"""
