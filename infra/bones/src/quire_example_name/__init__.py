"""One sentence: what it does."""
