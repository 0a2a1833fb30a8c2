"""Who is calling: tokens and sessions."""
