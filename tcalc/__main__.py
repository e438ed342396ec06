"""``python -m tcalc`` is ``tcalc``."""

from tcalc.cli import main

if __name__ == "__main__":
    main()
