"""Who is asking: tokens, sessions and factors become an actor in a tenant.

The only package that decodes a token.
"""
