# Sourced by the program tests. The environment says where the programs are:
# GENZO, GENZO_BENCH, GENZO_SERVER_PROGRAM, GENZO_SOURCE.

set -u
failures=0
work=$(mktemp -d)
server_pid=

cleanup() {
  [ -n "$server_pid" ] && kill -KILL "$server_pid" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

# expect NAME CONDITION...: counts a failure unless the command succeeds.
expect() {
  local name=$1
  shift
  if "$@"; then
    echo "ok: $name"
  else
    echo "FAILED: $name: $*"
    failures=$((failures + 1))
  fi
}

contains() { grep -qF -- "$2" "$1"; }
lines_are() { [ "$(wc -l <"$1")" -eq "$2" ]; }

# Starts a server with the tiny model; sets `address` and `server_pid`. Further
# arguments are lines of its configuration.
start_server() {
  {
    echo "models: [{id: tiny, path: $GENZO_SOURCE/tests/data/reference/models/sd1}]"
    printf '%s\n' "$@"
  } >"$work/genzo.yaml"
  exec {output}< <(exec "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" \
    --listen 127.0.0.1:0 2>"$work/server.log")
  server_pid=$!
  local line=
  read -r -t 60 -u "$output" line || { cat "$work/server.log"; exit 1; }
  address=${line##* }
}

finish() {
  [ "$failures" -eq 0 ] && exit 0
  echo "$failures failed"
  exit 1
}
