"""`python -m keras_vae` is `keras-vae`."""

import sys

from keras_vae.cli import main

sys.exit(main())
