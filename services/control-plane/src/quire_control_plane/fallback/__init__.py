"""What becomes of a job whose answer does not come: another target, an earlier answer, a lesser one, or its end."""
