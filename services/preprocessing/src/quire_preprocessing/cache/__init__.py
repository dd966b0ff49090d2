"""What was made once and is known to later jobs for a while: programs, and what equal questions share."""
