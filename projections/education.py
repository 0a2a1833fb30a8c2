"""The plans of a patient with their articles and progress.

Which article somebody reads can tell a diagnosis, so titles are sealed as well.
"""
