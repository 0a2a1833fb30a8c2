"""What every projection is made of: the shapes of a table, a write and a read."""
