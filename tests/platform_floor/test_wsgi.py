"""What the web server has done before it takes the first request."""

import subprocess
import sys

LOOK = "import sys, earshot.wsgi; print('annotation.views.listening' in sys.modules)"


def test_every_view_is_loaded_before_the_first_request():
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60)

    assert found.stdout.strip() == "True"
