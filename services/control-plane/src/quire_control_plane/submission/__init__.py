"""How a submission becomes a job, and a job a new one that repeats it."""
