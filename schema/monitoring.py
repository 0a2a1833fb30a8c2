"""The GraphQL face of monitoring: link a device, send readings, see a series.

A batch is answered with what was new and what was a repeat.
"""
