"""The forms a patient has to fill, with progress, and the submitted answers for staff.

Answers are sealed; the clear columns hold the state and the dates.
"""
