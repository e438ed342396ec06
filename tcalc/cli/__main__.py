"""``python -m tcalc.cli`` is ``tcalc``."""

from tcalc.cli import main

main()
