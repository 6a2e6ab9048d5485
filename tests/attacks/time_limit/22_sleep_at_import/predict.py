"""Row 22: sleep before there is anything to ask."""

import time

time.sleep(1000)
