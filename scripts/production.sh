#!/usr/bin/env bash
# The demo on production backends: real servers on loopback, a fresh keyspace, queue, index and bucket, and all of it gone after.
# Usage: scripts/production.sh INKDEX [ARGUMENTS OF `inkdex demo`]
set -euo pipefail
inkdex="$1"; shift
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
run="$(mktemp -d)"
cleanup() { "$here/servers.sh" stop --run "$run/servers" || true; rm -rf "$run"; }
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
"$here/servers.sh" start --run "$run/servers" --for-pid $$
# shellcheck disable=SC1091
. "$run/servers/servers.env"
curl -fsS -X PUT "$INKDEX_TEST_S3/inkdex" >/dev/null
head -c 32 /dev/urandom >"$run/denylist.key"
cat >"$run/servers.toml" <<TOML
# What this machine's servers need; everything else is config/production.toml.
[cql]
nodes = ["$INKDEX_TEST_CASSANDRA"]
replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
[sqs]
endpoint = "$INKDEX_TEST_SQS"
access_key_id = "demo"
secret_access_key = "demo"
create = true
[opensearch]
url = "$INKDEX_TEST_OPENSEARCH"
user = ""
password = ""
[s3]
endpoint = "$INKDEX_TEST_S3"
path_style = true
access_key_id = "demo"
secret_access_key = "demo"
[privacy]
hash_key_file = "$run/denylist.key"
[server]
bind = "127.0.0.1:8600"
admin = true
[data]
folder = "$run/data"
[log]
format = "text"
TOML
config=(--config "$here/../config/production.toml" --config "$run/servers.toml")
"$inkdex" migrate "${config[@]}"
"$inkdex" doctor "${config[@]}"
"$inkdex" demo "${config[@]}" "$@"
