"""Code for arrays: a graph becomes a straight line of calls, and that a readable module.

`lower` turns nodes into a `Program` for given sizes, `emit` writes the program as the source of a
module that needs its array library only, `targets` hold what is said differently for another one.
"""
