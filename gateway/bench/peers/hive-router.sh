#!/bin/sh
# Starts Hive Router for `make bench`: hive-router.sh BINARY MODE SUPERGRAPH PORT DIR
# In BENCH_PEERS: hive=gateway/bench/peers/hive-router.sh /path/to/hive_router {mode} {supergraph} {port} {dir}
set -eu
binary=$1 mode=$2 supergraph=$3 port=$4 dir=$5

case $mode in
full) clients=false subgraphs=false ;;
default) clients=false subgraphs=true ;;
suite) clients=true subgraphs=true ;;
*) echo "unknown mode $mode" >&2; exit 2 ;;
esac

config=$dir/hive-router-$mode.yaml
cat >"$config" <<END
supergraph: { source: file, path: $supergraph }
http: { host: 127.0.0.1, port: $port }
log: { level: info }
traffic_shaping:
  all: { dedupe_enabled: $subgraphs }
  router: { dedupe: { enabled: $clients } }
END
ROUTER_CONFIG_FILE_PATH=$config exec "$binary"
