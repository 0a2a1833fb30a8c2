"""What every schema module is made of: the context, problems, pages and opaque ids."""
