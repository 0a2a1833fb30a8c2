"""What a patient owes, statement by statement, with the payments and the plan.

Amounts are integers of cents beside their currency; card details are never held.
"""
