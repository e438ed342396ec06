"""Pictures of expression graphs, as SVG.

`labels` says what stands in a node, `layers` places nodes and edges in layers (Sugiyama, Tagawa,
Toda, *Methods for Visual Understanding of Hierarchical System Structures*, 1981), `svg` writes it.
"""

from tcalc.pictures.svg import picture

__all__ = ["picture"]
