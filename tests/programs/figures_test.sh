# Figures: the list of docs/metrics.md is what a server that has painted tells.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# With a certificate, of which there are figures, too.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost \
  2>/dev/null || exit 1
start_server "admin: 127.0.0.1:0" "http:
  {listen: 127.0.0.1:0, certificate: $work/cert.pem, key: $work/key.pem}"
admin=$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")
door=$(sed -n 's|.*HTTP on \(https://[^/]*\)/.*|\1|p' "$work/server.log")
"$GENZO" --server "$address" generate "a fox" --steps 3 --preview-every 1 \
  --output "$work" >/dev/null || exit 1
python3 -c 'import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10,
  context=ssl._create_unverified_context()).read()' "$door/healthz" || exit 1
expect "docs/metrics.md is what the server tells" \
  python3 "$GENZO_SOURCE/tests/observe/figures.py" "http://$admin/metrics"
finish
