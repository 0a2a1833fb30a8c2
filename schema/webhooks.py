"""The GraphQL face of webhooks: subscribe, rotate the secret, suspend, replay a lane.

For partners and operators; a secret is shown once.
"""
