"""Independent GraphQL clients, audits and lint rules against the real API (make test-peers)."""
