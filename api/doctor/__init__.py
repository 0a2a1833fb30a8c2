"""`anamnesis doctor`: what an operator checks before calling somebody, each with what to do."""

from api.doctor.diagnosis import Check, Diagnosis, Verdict, examine

__all__ = ["Check", "Diagnosis", "Verdict", "examine"]
