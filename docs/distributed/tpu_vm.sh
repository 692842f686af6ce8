#!/bin/sh
# Train on this TPU VM, from the root of the repository: sh docs/distributed/tpu_vm.sh --run runs/first --epochs 20
# The arguments are passed to `keras-vae train`.
set -eu
python3 -m venv "$HOME/keras-vae"
. "$HOME/keras-vae/bin/activate"
pip install .
# The TPU build replaces the standard TensorFlow, because both provide the same module.
pip uninstall --yes tensorflow
pip install tensorflow-tpu --find-links https://storage.googleapis.com/libtpu-tf-releases/index.html
exec keras-vae train --strategy tpu --batch-size 1024 "$@"
