"""Whose record it is, which charts may be one person's, and the acts that decide it."""

from schema.registry.acts import RegistryMutation
from schema.registry.matches import RegistryQuery
from schema.registry.patients import Patient

__all__ = ["Patient", "RegistryMutation", "RegistryQuery"]
