"""``python -m theory_checks``."""

import sys

from theory_checks.cli import main

sys.exit(main())
