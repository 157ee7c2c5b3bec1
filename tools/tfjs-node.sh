#!/usr/bin/env bash
# Builds the native backend of @tensorflow/tfjs-node 4.22.0 from registry packages, for networks without its download:
#
#     npm run tfjs-node
#
# Linux x64. Needs node, npm, g++, and python3 with pip. It takes one wheel from the Python registry (187 MB; the libraries
# out of it are kept in a cache) and, where Node has no headers beside it, the npm package node-api-headers (17 kB).
# Exit status 3: something that it needs is missing here, and nothing was changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=4.22.0
TF=2.13.1
SHA256=87be6e61314b2c0fa062f71e26e41d6a17e162ffe4da72c820fe8f1fc94d97fe
HEADERS=node-api-headers@1.9.0

missing() {
  echo "tfjs-node was NOT built: $1" >&2
  exit 3
}

[[ "$(uname -s) $(uname -m)" == 'Linux x86_64' ]] || missing "this is $(uname -s) $(uname -m); Linux x86_64 is needed"
for command in node npm g++ python3; do
  command -v "$command" >/dev/null || missing "$command is not installed"
done
python3 -m pip --version >/dev/null 2>&1 || missing 'python3 has no pip'
[[ -f node_modules/@tensorflow/tfjs-node/package.json ]] ||
  missing 'the npm package @tensorflow/tfjs-node is not installed (npm ci)'
package=$(cd node_modules/@tensorflow/tfjs-node && pwd -P)
installed=$(node -p 'require(process.argv[1]).version' "$package/package.json")
[[ $installed == "$VERSION" ]] || missing "tfjs-node is $installed; this script is for $VERSION"

cache=${TFJS_NODE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfjs-node}/tf-$TF
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! -f $cache/.ok ]]; then
  python3 -m pip download -q --no-deps --no-cache-dir --only-binary=:all: --python-version 3.11 \
    --platform manylinux2014_x86_64 -d "$work" "tensorflow-cpu==$TF" ||
    missing "the wheel tensorflow-cpu $TF cannot be had from this machine's Python registry"
  wheel=$(echo "$work"/*.whl)
  echo "$SHA256  $wheel" | sha256sum -c --quiet
  rm -rf "$cache"
  mkdir -p "$cache"
  python3 - "$wheel" "$cache" <<'PYTHON'
import re, sys, zipfile

LIBRARY = r'tensorflow/(libtensorflow_(?:cc|framework)\.so\.2)$'
HEADER = r'tensorflow/(include/(?:tensorflow/(?:c|tsl/c)/|tensorflow/(?:core|tsl)/platform/ctstring).*)'
wheel, folder = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
for entry in wheel.infolist():
    name = entry.filename
    library, header = re.match(LIBRARY, name), re.match(HEADER, name)
    if name.endswith('/'):
        continue
    if library:
        entry.filename = 'lib/' + library[1]
    elif header:
        entry.filename = header[1]
    elif name.endswith('.dist-info/LICENSE'):
        entry.filename = 'LICENSE'
    else:
        continue
    wheel.extract(entry, folder)
PYTHON
  ln -s libtensorflow_cc.so.2 "$cache/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$cache/lib/libtensorflow_framework.so"
  touch "$cache/.ok"
fi

headers=$(node -p 'require("path").resolve(process.execPath, "../../include/node")')
if [[ ! -f $headers/node_api.h ]]; then
  (cd "$work" && npm pack --silent "$HEADERS" >/dev/null && tar xzf node-api-headers-*.tgz)
  headers=$work/package/include
fi

# The folder is a link only where this script made it; a download of tfjs-node's own is left alone.
[[ -L $package/deps || ! -e $package/deps ]] || missing "$package/deps is there already: tfjs-node has its download"
ln -sfn "$cache" "$package/deps"
mkdir -p "$package/lib/napi-v8"
g++ -std=c++17 -O2 -fPIC -shared -DNAPI_VERSION=8 -I"$headers" -I"$cache/include" \
  "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" -L"$cache/lib" -ltensorflow \
  -ltensorflow_framework -Wl,-rpath,"$cache/lib" -o "$package/lib/napi-v8/tfjs_binding.node"

TF_CPP_MIN_LOG_LEVEL=2 node -e '
  const util = require("node:util");
  util.isNullOrUndefined ??= (value) => value == null;
  util.isArray ??= Array.isArray;
  const tf = require("@tensorflow/tfjs-node");
  const sum = tf.eye(2).matMul(tf.ones([2, 2])).sum().dataSync()[0];
  if (tf.getBackend() !== "tensorflow" || sum !== 4) throw new Error(`${tf.getBackend()} says ${sum}; 4 is right`);
  console.log(`tfjs-node is ready: backend tensorflow, libtensorflow ${tf.backend().binding.TF_Version}`);'
