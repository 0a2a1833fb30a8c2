"""The outbox and the dispatcher."""
