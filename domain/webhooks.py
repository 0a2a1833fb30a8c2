"""Partners that subscribe to events, and what becomes of their deliveries.

Stream: one per subscription. Consent, secret rotation, suspension and recall are decided for one
partner's subscription; single deliveries are rows of lanes, not events.
Outside world: partners, CRM.
"""
