"""The kernel: what every capability is made of. Standard library only."""
