"""The log and the read models on a real PostgreSQL."""
