"""python -m rewardmodel train | evaluate | score | probe. See docs/reward-model.md."""

import sys

from rewardmodel.learning.commands import main

if __name__ == "__main__":
    sys.exit(main())
