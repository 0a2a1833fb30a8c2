"""Rules, events, refusals and `perform`, without a database."""
