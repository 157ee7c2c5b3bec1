#!/usr/bin/env bash
# Installs TensorBoard and MLflow for the tests that hold our trackers against the real ones:
#
#     npm run trackers-python
#
# Needs python3 with pip, and takes some 900 MB. Nothing else in this project needs Python.
# Exit status 3: something that it needs is missing here, and nothing was changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PACKAGES=(tensorboard==2.21.0 "setuptools<81" mlflow==3.17.2)

missing() {
  echo "TensorBoard and MLflow were NOT installed: $1" >&2
  exit 3
}

python3 -m pip --version >/dev/null 2>&1 || missing 'python3 with pip is not there'
folder=node_modules/.cache/trackers-python
[[ ! -f $folder/.ok ]] || exit 0
rm -rf "$folder"
mkdir -p "$folder"
python3 -m pip install -q --no-cache-dir --disable-pip-version-check --no-compile --root-user-action=ignore --target "$folder" "${PACKAGES[@]}" ||
  missing "they cannot be had from this machine's Python registry"
touch "$folder/.ok"
