"""Insurance: policies, eligibility, estimates, claims, denials and appeals.

Streams: one per policy, one per claim. Eligibility is a fact about a policy at a date; a claim has
a life of its own with the payer and may be appealed long after the policy has ended.
Source: X12 5010 sets 270/271, 276/277, 278, 835, 837.
"""
