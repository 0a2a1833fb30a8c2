"""Signed heads of logs."""
