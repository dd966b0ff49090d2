"""How long a job waits for its answer: until its deadline, and as long as the wait is worth it."""
