"""Tests of the log under the library eventsourcing."""
