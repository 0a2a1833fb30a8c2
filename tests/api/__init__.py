"""Requests as a client sends them: transports, tokens, limits, the command line."""
