"""Requests nobody wrote: generated from the schema, sent by everybody and by nobody."""
