"""A job's tasks on their way: sent to a target, held back until one takes them, stopped."""
