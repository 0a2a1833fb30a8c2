"""The Merkle tree, and the verification of whole logs on a real PostgreSQL."""
