#!/usr/bin/env bash
# Builds deploy/Dockerfile with buildah from the files that git tracks, and starts what comes of it as its user, on a read-only root,
# without capabilities and without a network but its own. Run by `npm run check-deploy -- --image`, as root. It keeps nothing.
#
# Where the base image cannot be had, one is made of Debian (debootstrap) and this machine's Node, under the same name: the Dockerfile's own
# steps are run, on another Node maybe. It says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

needs() { command -v "$1" >/dev/null 2>&1 || { echo "needs $1 (apt-get install $2)"; exit 1; }; }
[[ $(id -u) -eq 0 ]] || { echo 'needs root'; exit 1; }
needs buildah buildah
needs setpriv util-linux
needs ip iproute2

work=$(mktemp -d)
engine=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
trap '"${engine[@]}" umount --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

base=$(sed -n 's/^FROM \([^ ]*\)$/\1/p' deploy/Dockerfile)
make_base() {
  needs debootstrap debootstrap
  local root=$work/base mirror container
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -o 'https\?://[^ ]*/debian/\?\( \|$\)' | head -1 || true)
  debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >/dev/null
  install -m 755 "$(readlink -f "$(command -v node)")" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$(npm root -g)/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  chroot "$root" sh -c 'groupadd -g 1000 node && useradd -u 1000 -g node -m node'
  container=$("${engine[@]}" from scratch)
  "${engine[@]}" add -q "$container" "$root" / >/dev/null
  "${engine[@]}" commit -q "$container" "docker.io/library/$base" >/dev/null
  rm -rf "$root"
  echo "made $base of Debian and this machine's Node $(node -v)"
}
timeout 60 "${engine[@]}" pull -q "docker.io/library/$base" >/dev/null 2>&1 || make_base

# How this machine's npm reaches its registry, for the build alone.
npm_settings=(--volume "$work/npmrc:/usr/local/etc/npmrc:ro")
echo "registry=$(npm config get registry)" >"$work/npmrc"
if [[ -n ${NODE_EXTRA_CA_CERTS:-} ]]; then
  echo 'cafile=/machine-ca.pem' >>"$work/npmrc"
  npm_settings+=(--volume "$NODE_EXTRA_CA_CERTS:/machine-ca.pem:ro")
fi
mkdir "$work/context"
git archive HEAD | tar x -C "$work/context"
"${engine[@]}" bud -q --format docker --isolation chroot --pull-never "${npm_settings[@]}" -f deploy/Dockerfile -t tutti "$work/context" >"$work/build.log" 2>&1 ||
  { tail -40 "$work/build.log"; exit 1; }
echo 'built'

container=$("${engine[@]}" from --pull-never tutti)
root=$("${engine[@]}" mount "$container")
"${engine[@]}" inspect --type image tutti >"$work/image.json"
mkdir "$work/config" "$work/store"
chown 1000:1000 "$work/store"
chmod 700 "$work/store"
cat >"$work/config/tutti.config.json" <<'JSON'
{ "tasks": [{ "name": "films", "catalogue": { "ids": ["a", "b", "c"] }, "model": { "family": "mf" } }] }
JSON
unshare --mount --net --pid --fork --mount-proc tools/deploy/run-image.sh "$root" "$work"
