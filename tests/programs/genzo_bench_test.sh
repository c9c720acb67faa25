#!/usr/bin/env bash
# genzo-bench against a real server: every scenario in small, and what it says
# when things go wrong.
. "$GENZO_SOURCE/tests/programs/lib.sh"

status() { "$@" >"$work/out" 2>"$work/err"; echo $?; }
small=(--steps 2 --width 64 --height 64 --requests 4 --solo-repeats 1)

expect "--help" [ "$(status "$GENZO_BENCH" --help)" = 0 ]
expect "--help tells exit statuses" contains "$work/out" "Exit status"
expect "no scenario" [ "$(status "$GENZO_BENCH")" = 2 ]
expect "bad load" [ "$(status "$GENZO_BENCH" poisson --loads 0)" = 2 ]
expect "no server" [ "$(status "$GENZO_BENCH" --server 127.0.0.1:1 closed)" = 4 ]
expect "no server: names it" contains "$work/err" "127.0.0.1:1"

start_server "admin: 127.0.0.1:0"
admin=$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")
bench() { status "$GENZO_BENCH" --server "$address" "${small[@]}" "$@"; }

expect "unknown model" [ "$(bench closed --model nope)" = 3 ]
expect "wrong size" [ "$(status "$GENZO_BENCH" --server "$address" closed --width 63)" = 3 ]
expect "wrong size: names it" contains "$work/err" "width 63"
expect "unwritable JSON" [ "$(bench closed --json /nowhere/a)" = 1 ]

expect "every scenario" [ "$(bench all --admin "$admin" --clients 1,2 \
  --loads 1 --overload-loads 1 --concurrency 2 --mix mixed \
  --json "$work/bench.json")" = 0 ]
expect "every scenario: table" contains "$work/out" "lost 0, hung 0"
expect "every scenario: JSON" python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
assert report["hardware"]["cores"] > 0 and report["model"]["id"] == "tiny"
assert len(report["mix"]) == 12 and report["aborted"] is None
found = {s["name"]: s["findings"] for s in report["scenarios"]}
assert len(found) == 8, found.keys()
assert found["closed"]["gain_over_one_client"]["1"] == 1, found
assert found["cancel"]["cancel_to_slot_free_seconds"]["count"] > 0, found
assert found["identical"]["reproducible_compared"] == 2, found
' "$work/bench.json"

# A server that dies takes the bench with it, but not what was measured.
: >"$work/err"
"$GENZO_BENCH" --server "$address" poisson --loads 1 --requests 100000 \
  --steps 2 --width 64 --height 64 --solo-repeats 1 --json "$work/dead.json" \
  >"$work/out" 2>"$work/err" &
client=$!
tail -n +1 -f --pid="$client" "$work/err" | grep -qm1 alone
kill -KILL "$server_pid"
wait "$client"
expect "a dead server" [ $? = 4 ]
expect "a dead server: says so" contains "$work/err" "went away during poisson"
expect "a dead server: JSON" contains "$work/dead.json" '"aborted": "the server'
server_pid=
finish
