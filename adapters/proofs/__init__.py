"""The Merkle tree over the log, and the verification of a whole log against it."""
