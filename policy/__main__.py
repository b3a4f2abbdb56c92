"""python -m policy train | round | speak | evaluate | compare. See docs/policy.md."""

import sys

from policy.learning.cli import main

if __name__ == "__main__":
    sys.exit(main())
