"""The edges against real servers and published vectors."""
