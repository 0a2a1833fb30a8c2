"""Sealed objects."""
