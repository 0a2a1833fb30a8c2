"""Events to rows, and rows rebuilt to the same rows."""
