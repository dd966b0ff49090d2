"""Jobs that are done by several others: sweeps, and problems that are solved in parts."""
