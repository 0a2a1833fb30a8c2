"""The reference web client. Imports no other layer: it knows only the public GraphQL schema."""
