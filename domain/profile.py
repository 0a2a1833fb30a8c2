"""A patient's own details: what they propose to change, and what becomes true.

Stream: one per chart. A name, an address or a contact belongs to one chart of one authority, and
a proposed change must be decided against the details that chart holds now; two charts of the same
person may differ until each authority has approved.
Outside world: EHR demographics.
"""
