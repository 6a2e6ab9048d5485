"""Row 12: leave with success while being imported."""

import sys

sys.exit(0)
