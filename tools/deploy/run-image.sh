#!/usr/bin/env bash
# Starts the image that is mounted at ROOT as a container engine would: run-image.sh ROOT WORK, in namespaces of its own (check-image.sh).
set -euo pipefail
root=$1
work=$2

# From the image's own description: user, environment, command, check of health.
setting() { node -e "const { config } = JSON.parse(require('node:fs').readFileSync('$work/image.json')).OCIv1; for (const one of [config.$1 ?? []].flat()) console.log(one)"; }
mapfile -t environment < <(setting Env)
mapfile -t command < <(setting Entrypoint; setting Cmd)
user=$(setting User)
folder=$(setting WorkingDir)
mapfile -t health < <(node -e "for (const one of JSON.parse(require('node:fs').readFileSync('$work/image.json')).Docker.config.Healthcheck.Test.slice(1)) console.log(one)")
[[ ${#health[@]} -gt 0 ]] || { echo 'the image has no check of health'; exit 1; }
[[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || { echo "the image runs as '$user'"; exit 1; }

ip link set lo up
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o size=64m tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$work/store" "$root/var/lib/tutti"
mount --bind -o ro "$work/config" "$root/etc/tutti"

# Without rights: its user, no capabilities, none to be had. In place of the shell that it is called in.
inside() {
  exec chroot "$root" /usr/bin/env -i --chdir "$folder" "${environment[@]}" \
    /usr/bin/setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
}

inside "${command[@]}" >"$work/coordinator.log" 2>&1 &
coordinator=$!
fail() { echo "$1"; tail -20 "$work/coordinator.log"; exit 1; }
healthy=false
for _ in $(seq 60); do
  if (inside "${health[@]}" 2>/dev/null); then healthy=true; break; fi
  kill -0 $coordinator 2>/dev/null || fail 'it ended'
  sleep 1
done
$healthy || fail 'it was not healthy in a minute'
if (inside /bin/sh -c 'echo x >/opt/tutti/written' 2>/dev/null); then fail 'its root can be written'; fi
(inside node -e "fetch('http://127.0.0.1:4170/readyz').then((answer) => process.exit(answer.ok ? 0 : 1))") || fail 'it is not ready'
[[ -n $(ls "$work/store/.tutti") ]] || fail 'nothing was kept in /var/lib/tutti'
grep -q '^{' "$work/coordinator.log" || fail 'its log is no JSON'
kill -TERM $coordinator
status=0
wait $coordinator || status=$?
[[ $status -eq 0 || $status -eq 130 ]] || fail "it ended with $status"
echo "ran as $user, and drained"
