"""FHIR files as commands, from the received byte to the event."""
