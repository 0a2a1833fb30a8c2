"""Erasing: what is planned, what is carried out, and the certificate that says what remains."""

from api.erasing.carrying import erase, reopen
from api.erasing.certificate import Certificate, certified
from api.erasing.planning import Wanted

__all__ = ["Certificate", "Wanted", "certified", "erase", "reopen"]
