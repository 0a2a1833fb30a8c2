"""The GraphQL face of education: open a plan, read an article, take a quiz.

An article comes in the reader's language, or says that it could not.
"""
