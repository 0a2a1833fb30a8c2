"""Merkle proofs of the log (RFC 6962): inclusion, consistency and signed heads."""
