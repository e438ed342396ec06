"""``python -m tcalc.cli`` is ``tcalc``."""

from tcalc.cli.app import main

main()
