#!/usr/bin/env bash
# Runs the event suites against a real Apache Kafka (KRaft, one node on loopback): the broker's jars come from Maven
# Central, the log lives in a temporary folder, and everything is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

KAFKA_VERSION=${KAFKA_VERSION:-4.1.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kopitiam/kafka-$KAFKA_VERSION
for tool in java mvn; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing: Java 17 and Maven run the real broker" >&2; exit 1; }
done

if [ ! -f "$cache/complete" ]; then
  echo "==> resolving Apache Kafka $KAFKA_VERSION"
  mkdir -p "$cache"
  cat > "$cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kopitiam</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
  </dependencies>
</project>
POM
  if ! mvn -q -B -f "$cache/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/lib" > "$cache/mvn.log" 2>&1; then
    tail -5 "$cache/mvn.log" >&2
    echo 'Maven Central is not reached: the Apache Kafka suite was not run'
    exit 0
  fi
  touch "$cache/complete"
fi

work=$(mktemp -d)
broker=
cleanup() {
  if [ -n "$broker" ]; then kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

read -r port controller < <(node -e '
  const net = require("net"); const a = net.createServer().listen(0, "127.0.0.1", () => { const b = net.createServer().listen(0, "127.0.0.1", () => {
    console.log(a.address().port, b.address().port); a.close(); b.close(); }); });')
cat > "$work/server.properties" <<EOP
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
EOP
classpath="$cache/lib/*"
cluster=$(node -p 'crypto.randomBytes(16).toString("base64url")')
java -cp "$classpath" kafka.tools.StorageTool format --standalone -t "$cluster" -c "$work/server.properties" > "$work/format.log" 2>&1 \
  || { cat "$work/format.log" >&2; exit 1; }
java -Xmx768m -cp "$classpath" kafka.Kafka "$work/server.properties" > "$work/kafka.log" 2>&1 &
broker=$!

for _ in $(seq 1 300); do
  kill -0 "$broker" 2>/dev/null || { tail -20 "$work/kafka.log" >&2; exit 1; }
  node -e 'require("net").connect(+process.argv[1], "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))' "$port" && break
  sleep 0.2
done

echo "==> event suites against Apache Kafka $KAFKA_VERSION on 127.0.0.1:$port"
KOPITIAM_TEST_KAFKA=127.0.0.1:$port ${CARGO:-cargo} test --locked --quiet --test it \
  -p kopitiam-kit -p kopitiam-user -p kopitiam-product -p kopitiam-listing -p kopitiam-order -p kopitiam-marketplace \
  -- messaging:: events:: sagas::
