"""How a job ends, and what is kept of an answer that comes after its end."""
