"""FHIR R4 resources as facts of the domain: pure functions, one module per owning capability."""
