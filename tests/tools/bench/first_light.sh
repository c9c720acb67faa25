#!/usr/bin/env bash
# Times what docs/performance.md tells about the model in the box: a set-up
# ./dev run, and pictures a second with one client and with several, interleaved.
#
#   tests/tools/bench/first_light.sh [rounds] [clients]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${1:-5}
clients=${2:-4}
genzo=build/release/bin/genzo
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }

echo "./dev run, everything set up, seconds:"
for _ in $(seq "$rounds"); do
  begin=$(now)
  ./dev run "a sunset over the sea" >/dev/null
  echo "  $(since "$begin")"
done

exec {output}< <(exec build/release/bin/genzo-server --config deploy/genzo.yaml \
  --listen 127.0.0.1:0 --log-level error)
server=$!
read -r -u "$output" line
address=${line##* }

paint() { "$genzo" --server "$address" generate "a fox" --no-previews --no-art -o "$work" >/dev/null; }
paint

echo "$clients pictures of 25 guided steps, seconds: one after the other, all at once"
for _ in $(seq "$rounds"); do
  begin=$(now)
  for _ in $(seq "$clients"); do paint; done
  serial=$(since "$begin")
  begin=$(now)
  pids=()
  for _ in $(seq "$clients"); do paint & pids+=($!); done
  wait "${pids[@]}"
  echo "  $serial $(since "$begin")"
done
