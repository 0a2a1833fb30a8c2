"""A patient's own details as they stand, and the changes that await approval.

Read by the patient, a proxy and registration staff; names and addresses stay in the sealed body.
"""
