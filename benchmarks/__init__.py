"""Benchmarks against peers, and against what an expert would write by hand.

    pip install -e ".[bench]"
    python -m benchmarks                  # every row, every peer that is installed
    python -m benchmarks --rows A,B --peers jax,torch --sizes small
    python -m benchmarks --list

A *problem* (`benchmarks.problems`) has a program of tcalc, the same function written once for the
array modules of the peers, an expert's NumPy code, and data. A *task* is a problem, a quantity
(value, gradient, Hessian, …) and sizes. A *contender* computes a task's result: tcalc, the expert,
or a peer in one of its idioms (`benchmarks.peers`). All contenders of a task run interleaved in one
process, and are timed only if their results agree to 1e-8.
"""
