"""What holds when a disk, a network or a process fails half-way."""
