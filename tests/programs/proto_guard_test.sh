#!/usr/bin/env bash
# proto/genzo-v1.binpb, which `buf breaking` compares with, has all that the
# public protos have: what it lacks might be renumbered and nobody would notice.
set -u
image=$(mktemp)
trap 'rm -f "$image"' EXIT
cd "$GENZO_SOURCE" || exit 1
"$GENZO_PROTOC" --proto_path proto --proto_path "$GENZO_GOOGLEAPIS" \
  --include_imports --descriptor_set_out="$image" proto/genzo/v1/*.proto ||
  exit 1
cmp "$image" proto/genzo-v1.binpb && exit 0
echo "FAILED: ./dev proto --release brings proto/genzo-v1.binpb up to date"
exit 1
