"""The command line: a thin face over the public API.

Results go to standard output; messages, and what was guessed of undeclared names, to standard
error.  The exit status is 0 on success, 1 on an error in the input, 2 on wrong usage.  Nothing
here computes: each command reads a program, calls the API, and shows what comes back.  NumPy is
imported by the commands that need numbers, so that printing a formula stays quick.
"""

from tcalc.cli.app import main

__all__ = ["main"]
