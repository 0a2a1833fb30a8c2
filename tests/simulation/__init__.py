"""Domain and projector on a virtual clock, scheduled by a seed."""
