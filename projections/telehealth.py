"""The state of a visit: whether the room is open, who waits and who is inside.

Read by those invited to the visit; a vendor's room name never appears in it.
"""
