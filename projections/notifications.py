"""The preferences of a person and the notices they were sent, newest first.

A notice names its kind and its occasion by id; the words are made when it is sent.
"""
