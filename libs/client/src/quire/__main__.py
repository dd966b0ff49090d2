"""`python -m quire` is the command line."""

from quire.cli import main

main()
