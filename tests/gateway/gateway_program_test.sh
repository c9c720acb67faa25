#!/usr/bin/env bash
# genzo-gateway as a process: what it needs to start, as docs/http.md says.
. "$GENZO_SOURCE/tests/programs/lib.sh"
unset GENZO_GATEWAY_CONFIG

# opens FLAG...: the door starts, answers and ends with 0 when asked to.
opens() {
  local lines door line= healthy=1
  exec {lines}< <(exec "$GENZO_GATEWAY" "$@" --listen 127.0.0.1:0 2>"$work/err")
  door=$!
  read -r -t 60 -u "$lines" line
  python3 -c 'import sys, urllib.request
assert urllib.request.urlopen(sys.argv[1] + "/healthz").read() == b"ok\n"' \
    "${line##* }" 2>>"$work/err" && healthy=0
  kill -TERM "$door" 2>/dev/null
  wait "$door" && [ $healthy = 0 ] && return
  cat "$work/err"
  return 1
}

fails() { timeout 60 "$GENZO_GATEWAY" "$@" 2>"$work/err"; [ $? = 2 ]; }

# The example in the manual. Its page of figures may be taken on this machine.
sed -n '/^```yaml$/,/^```$/p' "$GENZO_SOURCE/docs/http.md" | grep -v '^```' >"$work/example.yaml"
expect "the manual has an example" [ -s "$work/example.yaml" ]
expect "the example is good" opens --config "$work/example.yaml" --admin 127.0.0.1:0

checks() { "$GENZO_GATEWAY" --config "$1" --check-config >"$work/out" 2>"$work/err"; }
expect "a good configuration is called so" checks "$work/example.yaml"
refuses() { ! checks "$1"; }
echo "http: {certificate: cert.pem, key: key.pem, client_ca_file: ca.pem}" >"$work/tls.yaml"
expect "a file that is not there is found before the start" refuses "$work/tls.yaml"
expect "its setting is named" contains "$work/err" "http.certificate $work/cert.pem"

expect "a file that is named is needed" fails --config "$work/nowhere" --server 127.0.0.1:1
expect "a missing file is told" contains "$work/err" "$work/nowhere"
export GENZO_GATEWAY_CONFIG=$work/nowhere
expect "so is one that the environment names" fails --server 127.0.0.1:1
unset GENZO_GATEWAY_CONFIG
if [ ! -e /etc/genzo/gateway.yaml ]; then
  expect "--server needs no file" opens --server 127.0.0.1:1
  expect "without it there must be one" fails --listen 127.0.0.1:0
fi
finish
