"""Code for arrays: a graph becomes straight-line code, written as a readable module.

`lower` turns nodes into a `Program` for given sizes, `emit` writes the program as the source of a
module that needs only its array library, and `targets` has what differs between array libraries.
"""
