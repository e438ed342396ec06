"""Rewriting: named rules on one small engine, and the flattening of nested products.

Every rewrite is exact: it holds for all real inputs in the domain of what it replaces.
"""

from tcalc.simplify.flatten import flatten
from tcalc.simplify.normal import normal
from tcalc.simplify.stable import has_branches, stable
from tcalc.simplify.tidy import tidy, tidy_all

__all__ = ["flatten", "has_branches", "normal", "stable", "tidy", "tidy_all"]
