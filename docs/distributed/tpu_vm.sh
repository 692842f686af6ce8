#!/bin/sh
# Train on the TPU of this TPU VM, from the repository's root: sh docs/distributed/tpu_vm.sh --run runs/first --epochs 20
# The arguments go to `keras-vae train`.
set -eu
python3 -m venv "$HOME/keras-vae"
. "$HOME/keras-vae/bin/activate"
pip install .
# The TPU's build of TensorFlow takes the other's place; both have the same module.
pip uninstall --yes tensorflow
pip install tensorflow-tpu --find-links https://storage.googleapis.com/libtpu-tf-releases/index.html
exec keras-vae train --strategy tpu --batch-size 1024 "$@"
