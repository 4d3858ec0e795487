"""``python -m taichi_softras.cli``: the command line, where its script is not on the path."""

import sys

from taichi_softras.cli import main

sys.exit(main())
