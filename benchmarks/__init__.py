"""The measured comparison with peers and with what an expert would write by hand.

    pip install -e ".[bench]"
    python -m benchmarks                  # every row, every peer that is installed
    python -m benchmarks --rows A,B --peers jax,torch --sizes small
    python -m benchmarks --list

A *problem* (`benchmarks.problems`) is a program of tcalc, the same function written once over an
array module for the peers, an expert's NumPy, and data. A *task* is a problem, a quantity (value,
gradient, Hessian, …) and sizes. A *contender* computes a task's result: tcalc, the expert, or a
peer in one of its idioms (`benchmarks.peers`). All contenders of a task run interleaved in one
process, and only after their results agree to 1e-8.
"""
