"""What may happen: pure decisions over events, standard library only."""
