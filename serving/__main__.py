"""Runs the server: `python -m serving --model_name=digits --model_base_path=models/digits`."""

import sys

from serving.main import main

if __name__ == "__main__":
    sys.exit(main())
