"""HTTP, sockets and the command line: the processes, and the only layer that reads the clock."""
