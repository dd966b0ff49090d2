"""What work would cost and bring at a target, asked before it is sent, and what is left of a job's budget for it."""
