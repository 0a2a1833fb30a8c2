"""Roots in key management services, against peers that answer as the vendors document."""
