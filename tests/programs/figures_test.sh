# Figures: the list of docs/metrics.md is what a server that has painted tells.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server "admin: 127.0.0.1:0" "http: {listen: 127.0.0.1:0}"
admin=$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")
door=$(sed -n 's|.*HTTP on \(http://[^/]*\)/.*|\1|p' "$work/server.log")
"$GENZO" --server "$address" generate "a fox" --steps 3 --preview-every 1 \
  --output "$work" >/dev/null || exit 1
python3 -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10).read()' "$door/healthz" || exit 1
expect "docs/metrics.md is what the server tells" \
  python3 "$GENZO_SOURCE/tests/observe/figures.py" "http://$admin/metrics"
finish
