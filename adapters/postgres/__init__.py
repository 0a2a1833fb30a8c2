"""PostgreSQL: the log, the read models and the outbox, with their roles and row policies."""
