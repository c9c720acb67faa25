#!/usr/bin/env bash
# The server as a process: descriptors, memory, signals, what it says at start.
. "$GENZO_SOURCE/tests/programs/lib.sh"
export PYTHONPATH="$GENZO_SOURCE/tests/server" PYTHONDONTWRITEBYTECODE=1

status() { "$@" >"$work/out" 2>"$work/err"; echo $?; }
ends_with() { wait "$server_pid"; local got=$?; server_pid=; [ "$got" -eq "$1" ]; }
signal() { kill "-$1" "$server_pid"; }
# Waits until the server has logged it.
logs() { tail -n +1 -f --pid="$server_pid" "$work/server.log" | grep -qm1 -- "$1"; }

# --- descriptors ---
soft=$(ulimit -Sn)
ulimit -Sn 64
start_server
limits=$(awk '/open files/ {print $4 == $5}' "/proc/$server_pid/limits")
expect "the limit of descriptors is raised" [ "$limits" = 1 ]
ulimit -Sn "$soft"
signal TERM
expect "and the server ends with 0" ends_with 0

cat >"$work/few" <<END
#!/bin/bash
ulimit -n 64
exec "$GENZO_SERVER_PROGRAM" "\$@"
END
chmod +x "$work/few"
real_server=$GENZO_SERVER_PROGRAM
GENZO_SERVER_PROGRAM=$work/few
start_server
expect "idle connections beyond the limit" python3 - "$address" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
idle = [socket.create_connection((host, int(port)), timeout=30)
        for _ in range(200)]
# Those that are too many are closed, not left waiting.
closed = 0
for connection in reversed(idle):
    connection.settimeout(5)
    try:
        if connection.recv(1) == b"":
            closed += 1
    except ConnectionError:
        closed += 1
    except TimeoutError:
        pass
    if closed >= 100:
        break
assert closed >= 100, closed
END
expect "a call after them" [ "$(status "$GENZO" --server "$address" models)" = 0 ]
expect "the log says so, in few lines" [ "$(grep -c "connections are closed" "$work/server.log")" -le 3 ]
signal TERM
expect "ends with 0" ends_with 0
GENZO_SERVER_PROGRAM=$real_server

# --- the end of the address space ---
start_server
used=$(awk '/VmSize/ {print $2}' "/proc/$server_pid/status")
signal TERM
wait "$server_pid"
if [ "$used" -lt 10000000 ]; then  # sanitizers take terabytes
  cat >"$work/tight" <<END
#!/bin/bash
ulimit -v $((used + 300000))
exec "$GENZO_SERVER_PROGRAM" "\$@"
END
  chmod +x "$work/tight"
  GENZO_SERVER_PROGRAM=$work/tight
  start_server
  paint() { status "$GENZO" --server "$address" generate x --steps 1 --width "$1" --height "$1" -o "$work"; }
  expect "a picture that is too large for it fails" [ "$(paint 1024)" != 0 ]
  expect "and says why" contains "$work/err" "out of memory"
  expect "one that is not is painted after it" [ "$(paint 64)" = 0 ]
  signal TERM
  expect "ends with 0" ends_with 0
  GENZO_SERVER_PROGRAM=$real_server
fi

# --- compressed messages ---
start_server
expect "a gzip bomb costs what it weighs" python3 - "$address" "$server_pid" <<'END'
import sys
import h2

def peak():
    for line in open(f"/proc/{sys.argv[2]}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000

path = "/genzo.v1.ImageGeneration/Generate"
bomb = h2.message(h2.gzip_bomb(60_000_000), compressed=1)
assert len(bomb) < 65_000, "fits the first window"
before = peak()
for encoding in [("grpc-encoding", "gzip")], []:
    connection = h2.connect(sys.argv[1])
    h2.call(connection, 1, path, bomb, encoding)
    end = h2.await_end(connection, 1)
    assert b"grpc-status" in end or end == b"reset", end
grown = peak() - before
assert grown < 20, f"{grown} MB"
END
expect "and the server serves on" [ "$(status "$GENZO" --server "$address" generate x --steps 1 -o "$work")" = 0 ]

# --- signals ---
signal USR1
signal USR2
signal ALRM
signal PIPE
expect "signals that nobody sends end nothing" [ "$(status "$GENZO" --server "$address" models)" = 0 ]
touch "$work/last"  # the shell may be slower than tail
"$GENZO" --server "$address" generate x --steps 60 --json -o "$work" \
  >"$work/last" 2>"$work/err" &
client=$!
tail -n +1 -f --pid="$client" "$work/last" | grep -qm1 progress
signal TERM
logs "shutting down"
expect "new work is refused meanwhile" [ "$(status "$GENZO" --server "$address" generate x --steps 1 -o "$work")" = 4 ]
wait "$client"
expect "a live job outlasts SIGTERM" [ $? = 0 ]
expect "then the server ends with 0" ends_with 0

# --- the configuration anew ---
start_server "limits: {max_steps: 40}"
{
  head -n 1 "$work/genzo.yaml"
  echo "limits: {max_steps: 20}"
  echo "queue_capacity: 7"
} >"$work/new.yaml"
mv "$work/new.yaml" "$work/genzo.yaml"
signal HUP
logs "not taken over without a start: queue_capacity"
sed -i 's|^models: .*|models: [{id: tiny, path: '"$GENZO_SOURCE"'/tests/data/reference/models/sd1}, {id: more, path: '"$GENZO_SOURCE"'/tests/data/reference/models/sd1}]|' "$work/genzo.yaml"
signal HUP
logs "taken over: log_level, limits, 1 models"
expect "and a new model" [ "$(status "$GENZO" --server "$address" models load more)" = 0 ]
expect "which paints" [ "$(status "$GENZO" --server "$address" generate x --model more --steps 1 -o "$work")" = 0 ]
sed -i 's|^models: .*|models: [{id: tiny, path: '"$GENZO_SOURCE"'/tests/data/reference/models/sd1}]|' "$work/genzo.yaml"
signal HUP
logs "taken over: log_level, limits, 0 models, 1 gone"
expect "which goes" [ "$(status "$GENZO" --server "$address" models load more)" != 0 ]
expect "SIGHUP takes over limits" [ "$(status "$GENZO" --server "$address" generate x --steps 21 -o "$work")" = 3 ]
expect "and says which" contains "$work/err" "steps 21 is not between 1 and 20"
echo "nonsense: 1" >>"$work/genzo.yaml"
signal HUP
logs "the configuration is not taken over: .*unknown key nonsense"
expect "a bad one changes nothing" [ "$(status "$GENZO" --server "$address" generate x --steps 20 -o "$work")" = 0 ]
mv "$work/genzo.yaml" "$work/whole.yaml"
mkfifo "$work/genzo.yaml"
signal HUP
logs "the configuration is not taken over: .* is not a regular file"
mv "$work/whole.yaml" "$work/genzo.yaml"
signal TERM
expect "SIGTERM ends it with 0" ends_with 0
expect "a bad one is not good" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --check-config)" = 2 ]
sed -i /nonsense/d "$work/genzo.yaml"
expect "a good one is" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --check-config)" = 0 ]
echo "http: {listen: 127.0.0.1:0, page: nowhere}" >>"$work/genzo.yaml"
expect "one whose page is not there starts without it" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --check-config)" = 0 ]
expect "and it says so" contains "$work/out" "no page: "
sed -i /nowhere/d "$work/genzo.yaml"
echo "auth: {keys_file: nowhere.json}" >>"$work/genzo.yaml"
expect "one whose files are not there is not" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --check-config)" = 2 ]
expect "and it says which" contains "$work/err" "keys_file"
sed -i /keys_file/d "$work/genzo.yaml"
expect "the world is not served by accident" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --listen 0.0.0.0:0)" = 2 ]
expect "and it says why" contains "$work/err" "is reached from other machines"

# --- probes ---
start_server "admin: 127.0.0.1:0"
admin=$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")
expect "ready" [ "$(status curl -sf "http://$admin/readyz")" = 0 ]
signal TERM
expect "ends with 0" ends_with 0

# --- its end, in company ---
cat >"$work/company.py" <<'END'
# A collector that says nothing, clients of gRPC and of the pages that say
# nothing, and one of HTTP with half of a request.
import socket
import sys

def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)

collector = socket.create_server(("127.0.0.1", 0))
print(collector.getsockname()[1], flush=True)
grpc, pages, http = sys.stdin.readline().split()
silent = [connect(address) for address in [grpc, pages] * 20]
half = connect(http)
half.sendall(
    b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
)
assert b" 100 " in half.recv(100)
half.sendall(b"{")
print("there", flush=True)
sys.stdin.read()
END
coproc company { exec python3 "$work/company.py"; }
read -r -u "${company[0]}" collector
start_server "admin: 127.0.0.1:0" "http: {listen: 127.0.0.1:0}" \
  "tracing: {endpoint: 'http://127.0.0.1:$collector', sample_ratio: 1}"
bound() { sed -n "s|.*$1 on http://\([0-9.:]*\)/.*|\1|p" "$work/server.log"; }
expect "a job leaves spans" [ "$(status "$GENZO" --server "$address" generate x --steps 1 -o "$work")" = 0 ]
echo "$address $(bound metrics) $(bound HTTP)" >&"${company[1]}"
read -r -u "${company[0]}" there
expect "all have come" [ "$there" = there ]
began=$(date +%s%3N)
signal TERM
expect "with nothing running the server ends with 0" ends_with 0
# Two seconds on an idle machine; each of them alone once took five or ten.
expect "and soon, whoever is connected" [ $(($(date +%s%3N) - began)) -lt 4000 ]
kill "$company_PID"

# --- jobs outlive their server ---
start_server "jobs: {results_folder: $work/results}"
done=$("$GENZO" --server "$address" generate x --steps 2 --detach)
expect "a job is watched to its end" [ "$(status "$GENZO" --server "$address" watch "$done" --json -o "$work/pictures")" = 0 ]
expect "with its picture" [ "$(find "$work/pictures" -name '*.png' | wc -l)" -ge 1 ]
left=$("$GENZO" --server "$address" generate x --steps 60 --detach)
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
rm -rf "$work/pictures"
start_server "jobs: {results_folder: $work/results}"
expect "what was done is there" [ "$(status "$GENZO" --server "$address" watch "$done" --json -o "$work/pictures")" = 0 ]
expect "with its picture still" [ "$(find "$work/pictures" -name '*.png' | wc -l)" -ge 1 ]
expect "what was not is done now" [ "$(status "$GENZO" --server "$address" watch "$left" --json -o "$work/pictures")" = 0 ]
status "$GENZO" --server "$address" jobs --json >/dev/null
expect "both are listed" lines_are "$work/out" 2
signal TERM
expect "and the server ends with 0" ends_with 0

# --- a load or a look that hangs, as on a mount that does not answer ---
if [ -n "$GENZO_HANG_ON_OPEN" ]; then
  start_server
  signal TERM
  wait "$server_pid"
  hung_server() {
    echo "shutdown_grace_seconds: $1" >>"$work/genzo.yaml"
    : >"$work/server.log"  # of the server before
    LD_PRELOAD=$GENZO_HANG_ON_OPEN GENZO_HANGS=$2 \
      "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" \
      --listen 127.0.0.1:0 >"$work/out" 2>"$work/server.log" &
    server_pid=$!
  }
  hung_server 300 merges.txt
  logs hangs:
  signal TERM
  logs "shutting down"
  sleep 0.2  # within 0.1 s they would be one
  signal TERM
  expect "a second signal ends a server that hangs, with 4" ends_with 4
  expect "and it says why" contains "$work/server.log" "a second signal"
  sed -i /shutdown_grace_seconds/d "$work/genzo.yaml"
  hung_server 0 merges.txt
  logs hangs:
  signal TERM
  expect "one does too, in the end" ends_with 3
  sed -i /shutdown_grace_seconds/d "$work/genzo.yaml"
  mkdir "$work/found"
  echo "models_folder: $work/found" >>"$work/genzo.yaml"
  hung_server 300 hung-folder
  logs "listening on"  # it has looked once
  mkdir "$work/found/hung-folder"
  logs hangs:
  signal TERM
  expect "a folder that hangs does not hold up the end" ends_with 3
  sed -i '/models_folder/d; /shutdown_grace_seconds/d' "$work/genzo.yaml"
  echo "auth: {keys_file: $work/hung-keys.json}" >>"$work/genzo.yaml"
  echo '{"keys": []}' >"$work/hung-keys.json"
  export GENZO_HANGS_WITH=$work/hangs-now
  hung_server 300 hung-keys.json
  logs "listening on"
  touch "$work/hangs-now"
  cp "$work/hung-keys.json" "$work/new-keys.json"
  mv "$work/new-keys.json" "$work/hung-keys.json"
  logs hangs:
  signal HUP  # asks for the keys, too
  signal TERM
  expect "a file of keys that hangs does not hold up the end" ends_with 3
  unset GENZO_HANGS_WITH
fi

# --- what it says at start ---
echo "models: [{id: broken, path: /nowhere}]" >"$work/broken.yaml"
: >"$work/server.log"
"$GENZO_SERVER_PROGRAM" --config "$work/broken.yaml" --listen 127.0.0.1:0 \
  >"$work/out" 2>"$work/server.log" &
server_pid=$!
logs "not ready"
expect "no model, not ready" [ ! -s "$work/out" ]
signal TERM
expect "it ends all the same" ends_with 0

start_server "admin: 127.0.0.1:0"
admin=$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")
expect "admin address in use" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --listen 127.0.0.1:0 --admin "$admin" --log-level off)" = 2 ]
expect "admin address in use: says so" contains "$work/err" "admin address $admin cannot be used: it is taken"
signal INT
expect "SIGINT ends it with 0" ends_with 0

mkdir "$work/profiles"
mkfifo "$work/profiles/tiny.json"
start_server "profile_folder: $work/profiles"
expect "a pipe as profile is not waited for" contains "$work/server.log" "is not a regular file"
signal TERM
expect "and replaced" ends_with 0
# What is measured on a busy machine is not kept.
grep -q "disturbed, to be made again" "$work/server.log" ||
  expect "by a file" [ -f "$work/profiles/tiny.json" ]
finish
