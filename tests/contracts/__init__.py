"""What holds for the whole repository: caps, imports, approved files."""
