"""The GraphQL face of coverage: policies, eligibility, an estimate, claims, an appeal.

An estimate says when and from which answer of the payer it was made.
"""
