package evalgate;

import static evalgate.Checks.*;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;

/** Jedis: a pool of connections, in both protocols. */
final class JedisChecks {
  static void run() {
    for (RedisProtocol protocol : List.of(RedisProtocol.RESP3, RedisProtocol.RESP2)) {
      String name = "Jedis " + protocol + ": ";
      try (UnifiedJedis jedis = clientFor(PORT, protocol);
          UnifiedJedis safe = clientFor(SAFE_PORT, protocol)) {
        check(name + "values of every kind", () -> values(jedis));
        check(name + "scripts, with nodes that forget", () -> scripts(jedis));
        check(name + "scripts in a pipeline", () -> pipelinedScripts(jedis));
        check(name + "transactions", () -> transactions(jedis));
        check(name + "scripts in a transaction, profile safe", () -> scriptsInTransaction(safe));
        check(name + "blocking commands", () -> blocking(jedis));
        check(name + "pub/sub", () -> pubSub(jedis));
        check(name + "RedisClusterClient", () -> cluster(protocol));
      }
    }
  }

  private static UnifiedJedis clientFor(int port, RedisProtocol protocol) {
    return RedisClient.builder()
        .hostAndPort(HOST, port)
        .clientConfig(DefaultJedisClientConfig.builder().protocol(protocol).build())
        .build();
  }

  private static void values(UnifiedJedis jedis) throws Exception {
    equal(jedis.set("jd:foo", "bar"), "OK");
    equal(jedis.get("jd:foo"), "bar");
    jedis.hset("jd:hash", Map.of("a", "1", "b", "2"));
    equal(jedis.hgetAll("jd:hash"), Map.of("a", "1", "b", "2"));
    jedis.sadd("jd:set", "a", "b");
    equal(jedis.smembers("jd:set"), Set.of("a", "b"));
    jedis.zadd("jd:zset", 1.5, "one");
    equal(jedis.zscore("jd:zset", "one"), 1.5);
    for (int i = 0; i < KEY_COUNT; i++) jedis.set("jd:many:" + i, "" + i);
    Set<String> seen = new HashSet<>();
    String cursor = ScanParams.SCAN_POINTER_START;
    do {
      ScanResult<String> page = jedis.scan(cursor, new ScanParams().match("jd:many:*").count(10));
      seen.addAll(page.getResult());
      cursor = page.getCursor();
    } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
    equal(seen.size(), KEY_COUNT);
    equal(jedis.del(seen.toArray(new String[0])), (long) KEY_COUNT);
    fails("WRONGTYPE", () -> jedis.lpush("jd:foo", "x"));
  }

  private static void scripts(UnifiedJedis jedis) throws Exception {
    String sha = jedis.scriptLoad(ADD);
    for (int i = 0; i < KEY_COUNT; i++) {
      List<String> keys = List.of("jd:script:" + i);
      jedis.del(keys.get(0));
      equal(jedis.eval(ADD, keys, List.of("2")), 2L);
      if (i % 20 == 0) loseScripts();
      equal(jedis.evalsha(sha, keys, List.of("3")), 5L);
    }
    equal(jedis.scriptExists(List.of(sha, UNKNOWN)), List.of(true, false));
    equal(jedis.eval("return {KEYS[1], ARGV[1], 3}", 1, "k", "a"), List.of("k", "a", 3L));
    fails("NOSCRIPT", () -> jedis.evalsha(UNKNOWN, 1, "k"));
    fails("MY own", () -> jedis.eval("return redis.error_reply('MY own')", 1, "k"));
  }

  private static void pipelinedScripts(UnifiedJedis jedis) {
    String sha = jedis.scriptLoad(ADD);
    jedis.del("jd:pipe");
    loseScripts();
    try (AbstractPipeline pipeline = jedis.pipelined()) {
      Response<Object> first = pipeline.evalsha(sha, 1, "jd:pipe", "1");
      for (int i = 0; i < KEY_COUNT; i++) pipeline.evalsha(sha, 1, "jd:pipe", "1");
      Response<Object> last = pipeline.evalsha(sha, 1, "jd:pipe", "1");
      pipeline.sync();
      equal(List.of(first.get(), last.get()), List.of(1L, KEY_COUNT + 2L));
    }
    equal(jedis.get("jd:pipe"), "" + (KEY_COUNT + 2));
  }

  private static void transactions(UnifiedJedis jedis) {
    try (AbstractTransaction transaction = jedis.transaction(false)) {
      transaction.watch("{jd}n");
      jedis.set("{jd}n", "0");
      transaction.multi();
      transaction.incr("{jd}n");
      equal(transaction.exec(), null);
    }
    try (AbstractTransaction transaction = jedis.multi()) {
      transaction.set("{jd}n", "1");
      transaction.incr("{jd}n");
      equal(transaction.exec(), List.of("OK", 2L));
    }
  }

  private static void scriptsInTransaction(UnifiedJedis jedis) {
    String sha = jedis.scriptLoad(ADD);
    jedis.del("{jd}s");
    loseScripts();
    try (AbstractTransaction transaction = jedis.multi()) {
      transaction.evalsha(sha, 1, "{jd}s", "4");
      transaction.eval(ADD, 1, "{jd}s", "5");
      equal(transaction.exec(), List.of(4L, 9L));
    }
  }

  private static void blocking(UnifiedJedis jedis) throws Exception {
    CompletableFuture<List<String>> popped = CompletableFuture.supplyAsync(() -> jedis.blpop(10, "{jd}queue"));
    jedis.rpush("{jd}queue", "job");
    equal(popped.get(10, TimeUnit.SECONDS), List.of("{jd}queue", "job"));
    equal(jedis.blpop(0.05, "{jd}none"), null);
  }

  private static void pubSub(UnifiedJedis jedis) throws Exception {
    BlockingQueue<String> events = new LinkedBlockingQueue<>();
    JedisPubSub listener =
        new JedisPubSub() {
          @Override
          public void onSubscribe(String channel, int count) {
            events.add("subscribed");
          }

          @Override
          public void onMessage(String channel, String message) {
            events.add(channel + " " + message);
          }
        };
    CompletableFuture<Void> done = CompletableFuture.runAsync(() -> jedis.subscribe(listener, "jd-first", "jd-second"));
    equal(events.poll(10, TimeUnit.SECONDS), "subscribed");
    equal(events.poll(10, TimeUnit.SECONDS), "subscribed");
    jedis.publish("jd-second", "2");
    equal(events.poll(10, TimeUnit.SECONDS), "jd-second 2");
    listener.unsubscribe();
    done.get(10, TimeUnit.SECONDS);
  }

  private static void cluster(RedisProtocol protocol) {
    try (UnifiedJedis jedis =
        RedisClusterClient.builder()
            .nodes(Set.of(new HostAndPort(HOST, PORT)))
            .clientConfig(DefaultJedisClientConfig.builder().protocol(protocol).build())
            .build()) {
      for (int i = 0; i < KEY_COUNT; i++) jedis.set("jd:cluster:" + i, "" + i);
      String sha = jedis.scriptLoad(ADD, "jd:cluster:1");
      loseScripts();
      for (int i = 0; i < KEY_COUNT; i++) equal(jedis.evalsha(sha, 1, "jd:cluster:" + i, "1"), i + 1L);
    }
  }

  private JedisChecks() {}
}
