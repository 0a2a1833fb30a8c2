"""FHIR R4 in and out: validation at the boundary, resources to commands and back."""
