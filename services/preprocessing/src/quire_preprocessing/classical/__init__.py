"""The classical answer to an optimisation: its methods, each from a case to what it found, and the best of them."""
