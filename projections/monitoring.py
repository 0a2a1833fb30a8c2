"""Readings as series by kind and day, with units, and the thresholds crossed.

A value is a coded quantity with its UCUM unit; series are sealed row by row.
"""
