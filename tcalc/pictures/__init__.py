"""Pictures of expression graphs, as SVG.

`labels` makes the labels of nodes, `layers` places nodes and edges in layers (Sugiyama, Tagawa,
Toda, *Methods for Visual Understanding of Hierarchical System Structures*, 1981), and `svg` writes
the picture.
"""

from tcalc.pictures.svg import picture

__all__ = ["picture"]
