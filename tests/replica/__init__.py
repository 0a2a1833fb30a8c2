"""Rows and events that are read from a streaming replica."""
