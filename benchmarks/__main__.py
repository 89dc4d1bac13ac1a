"""`python -m benchmarks`: the runner."""

import sys

from benchmarks.run import main

sys.exit(main())
