"""The classical methods that a baseline tries, each a function from a case to what it found."""
