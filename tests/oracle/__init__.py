"""The audit trail beside what an oracle expects of it from HTTP answers alone."""
