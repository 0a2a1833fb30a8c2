"""The policies of a patient, what they cover, and where each claim stands.

A member number is found by a keyed blind index and is sealed everywhere else.
"""
