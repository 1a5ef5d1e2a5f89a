"""`python -m dwmtl` is `dwmtl`."""

from dwmtl.cli import main

if __name__ == "__main__":
    main()
