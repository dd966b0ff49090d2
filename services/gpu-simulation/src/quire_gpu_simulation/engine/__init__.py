"""The plane's own state-vector engine: a structure compiled once, then run on whole sweeps."""
