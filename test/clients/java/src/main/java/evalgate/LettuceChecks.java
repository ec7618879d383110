package evalgate;

import static evalgate.Checks.*;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanIterator;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.TransactionResult;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.sync.RedisAdvancedClusterCommands;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Lettuce with its default, RESP3 if the server has it, and with RESP2. */
final class LettuceChecks {
  static void run() {
    for (ProtocolVersion version : ProtocolVersion.values()) {
      RedisClient client = clientFor(PORT, version);
      RedisClient safe = clientFor(SAFE_PORT, version);
      String name = "Lettuce " + version + ": ";
      check(name + "values of every kind", () -> values(client));
      check(name + "scripts, with nodes that forget", () -> scripts(client));
      check(name + "scripts in flight together, flushed by hand", () -> pipelinedScripts(client));
      check(name + "transactions, watch", () -> transactions(client));
      check(name + "scripts in a transaction, profile safe", () -> scriptsInTransaction(safe));
      check(name + "blocking commands", () -> blocking(client));
      check(name + "pub/sub", () -> pubSub(client));
      check(name + "reconnects", () -> reconnects(client));
      check(name + "RedisClusterClient", () -> cluster(version));
      client.shutdown();
      safe.shutdown();
    }
  }

  private static RedisClient clientFor(int port, ProtocolVersion version) {
    RedisClient client = RedisClient.create(RedisURI.create(HOST, port));
    client.setOptions(ClientOptions.builder().protocolVersion(version).build());
    return client;
  }

  private static void values(RedisClient client) throws Exception {
    try (StatefulRedisConnection<String, String> connection = client.connect()) {
      RedisCommands<String, String> sync = connection.sync();
      equal(sync.set("lt:key", "Hello, Redis!"), "OK");
      equal(sync.get("lt:key"), "Hello, Redis!");
      sync.hset("lt:hash", Map.of("a", "1", "b", "2"));
      equal(sync.hgetall("lt:hash"), Map.of("a", "1", "b", "2"));
      sync.zadd("lt:zset", 1.5, "one");
      equal(sync.zscore("lt:zset", "one"), 1.5);
      Map<String, String> many = new HashMap<>();
      for (int i = 0; i < KEY_COUNT; i++) many.put("lt:many:" + i, "" + i);
      equal(sync.mset(many), "OK");
      equal(sync.mget("lt:many:7", "lt:none"), List.of(KeyValue.just("lt:many:7", "7"), KeyValue.empty("lt:none")));
      Set<String> seen = new HashSet<>();
      ScanIterator.scan(sync, ScanArgs.Builder.matches("lt:many:*").limit(10)).forEachRemaining(seen::add);
      equal(seen, many.keySet());
      equal(sync.configGet("maxmemory"), Map.of("maxmemory", "0"));
      fails("WRONGTYPE", () -> sync.lpush("lt:key", "x"));
      equal(sync.del(many.keySet().toArray(new String[0])), (long) KEY_COUNT);
    }
  }

  private static void scripts(RedisClient client) throws Exception {
    try (StatefulRedisConnection<String, String> connection = client.connect()) {
      RedisCommands<String, String> sync = connection.sync();
      String sha = sync.scriptLoad(ADD);
      equal(sha, sync.digest(ADD));
      for (int i = 0; i < KEY_COUNT; i++) {
        String[] keys = {"lt:script:" + i};
        sync.del(keys);
        equal(sync.eval(ADD, ScriptOutputType.INTEGER, keys, "2"), 2L);
        if (i % 20 == 0) loseScripts();
        equal(sync.evalsha(sha, ScriptOutputType.INTEGER, keys, "3"), 5L);
      }
      equal(sync.scriptExists(sha, UNKNOWN), List.of(true, false));
      String[] key = {"lt:k"};
      equal(sync.eval("return {KEYS[1], ARGV[1], 3}", ScriptOutputType.MULTI, key, "a"), List.of("lt:k", "a", 3L));
      equal(sync.evalReadOnly("return redis.call('GET', KEYS[1])", ScriptOutputType.VALUE, new String[] {"lt:script:1"}), "5");
      equal(sync.eval("return redis.status_reply('FINE')", ScriptOutputType.STATUS, key), "FINE");
      fails("NOSCRIPT", () -> sync.evalsha(UNKNOWN, ScriptOutputType.VALUE, key));
      fails("MY own", () -> sync.eval("return redis.error_reply('MY own')", ScriptOutputType.VALUE, key));
    }
  }

  private static void pipelinedScripts(RedisClient client) {
    try (StatefulRedisConnection<String, String> connection = client.connect()) {
      String sha = connection.sync().scriptLoad(ADD);
      connection.sync().del("lt:pipe");
      loseScripts();
      connection.setAutoFlushCommands(false);
      List<RedisFuture<Long>> futures = new ArrayList<>();
      for (int i = 0; i < KEY_COUNT; i++) {
        futures.add(connection.async().evalsha(sha, ScriptOutputType.INTEGER, new String[] {"lt:pipe"}, "1"));
      }
      connection.flushCommands();
      LettuceFutures.awaitAll(Duration.ofSeconds(10), futures.toArray(new RedisFuture[0]));
      for (int i = 0; i < KEY_COUNT; i++) equal(futures.get(i).toCompletableFuture().join(), i + 1L);
    }
  }

  private static void transactions(RedisClient client) {
    try (StatefulRedisConnection<String, String> connection = client.connect();
        StatefulRedisConnection<String, String> other = client.connect()) {
      RedisCommands<String, String> sync = connection.sync();
      sync.multi();
      sync.set("{lt}n", "1");
      sync.incr("{lt}n");
      TransactionResult result = sync.exec();
      equal(List.of(result.<Object>get(0), result.<Object>get(1)), List.of("OK", 2L));
      sync.watch("{lt}n");
      other.sync().incr("{lt}n");
      sync.multi();
      sync.set("{lt}n", "100");
      equal(sync.exec().wasDiscarded(), true);
      equal(sync.get("{lt}n"), "3");
    }
  }

  private static void scriptsInTransaction(RedisClient client) {
    try (StatefulRedisConnection<String, String> connection = client.connect()) {
      RedisCommands<String, String> sync = connection.sync();
      String sha = sync.scriptLoad(ADD);
      sync.del("{lt}s");
      loseScripts();
      sync.multi();
      sync.evalsha(sha, ScriptOutputType.INTEGER, new String[] {"{lt}s"}, "4");
      sync.eval(ADD, ScriptOutputType.INTEGER, new String[] {"{lt}s"}, "5");
      TransactionResult result = sync.exec();
      equal(List.of(result.<Object>get(0), result.<Object>get(1)), List.of(4L, 9L));
    }
  }

  private static void blocking(RedisClient client) throws Exception {
    try (StatefulRedisConnection<String, String> connection = client.connect();
        StatefulRedisConnection<String, String> other = client.connect()) {
      RedisFuture<KeyValue<String, String>> popped = connection.async().blpop(10, "{lt}queue");
      other.sync().rpush("{lt}queue", "job");
      equal(popped.get(10, TimeUnit.SECONDS), KeyValue.just("{lt}queue", "job"));
      equal(connection.sync().blpop(0.05, "{lt}none"), null);
    }
  }

  private static void pubSub(RedisClient client) throws Exception {
    BlockingQueue<String> messages = new LinkedBlockingQueue<>();
    try (StatefulRedisPubSubConnection<String, String> connection = client.connectPubSub();
        StatefulRedisConnection<String, String> other = client.connect()) {
      connection.addListener(
          new RedisPubSubAdapter<>() {
            @Override
            public void message(String channel, String message) {
              messages.add(channel + " " + message);
            }

            @Override
            public void message(String pattern, String channel, String message) {
              messages.add(pattern + " " + channel + " " + message);
            }
          });
      connection.sync().subscribe("lt-first");
      connection.sync().psubscribe("lt-s*");
      other.sync().publish("lt-first", "1");
      equal(messages.poll(10, TimeUnit.SECONDS), "lt-first 1");
      other.sync().publish("lt-second", "2");
      equal(messages.poll(10, TimeUnit.SECONDS), "lt-s* lt-second 2");
      connection.sync().unsubscribe("lt-first");
    }
  }

  private static void reconnects(RedisClient client) {
    try (StatefulRedisConnection<String, String> connection = client.connect()) {
      RedisCommands<String, String> sync = connection.sync();
      sync.set("lt:r", "1");
      killClients();
      equal(sync.eval(ADD, ScriptOutputType.INTEGER, new String[] {"lt:r"}, "1"), 2L);
    }
  }

  private static void cluster(ProtocolVersion version) {
    RedisClusterClient client = RedisClusterClient.create(RedisURI.create(HOST, PORT));
    client.setOptions(
        io.lettuce.core.cluster.ClusterClientOptions.builder().protocolVersion(version).build());
    RedisAdvancedClusterCommands<String, String> sync = client.connect().sync();
    Map<String, String> many = new HashMap<>();
    for (int i = 0; i < KEY_COUNT; i++) many.put("lt:cluster:" + i, "" + i);
    equal(sync.mset(many), "OK");
    String sha = sync.scriptLoad(ADD);
    loseScripts();
    for (int i = 0; i < KEY_COUNT; i++) {
      equal(sync.evalsha(sha, ScriptOutputType.INTEGER, new String[] {"lt:cluster:" + i}, "1"), i + 1L);
    }
    equal(sync.masters().size(), 1);
    client.shutdown();
  }

  private LettuceChecks() {}
}
