"""The pages in a real browser: keyboard, screen reader, narrow screens."""
