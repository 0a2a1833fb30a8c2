"""The GraphQL face of a patient's details: see them, propose a change, verify a contact.

Where the EHR is master a change is answered as requested, not as done.
"""
