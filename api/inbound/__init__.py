"""Doors for machines: webhooks and feeds from EHRs, payment and device vendors."""
