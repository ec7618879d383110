package evalgate;

import static evalgate.Checks.*;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.redisson.Redisson;
import org.redisson.api.RBatch;
import org.redisson.api.RBlockingQueue;
import org.redisson.api.RBucket;
import org.redisson.api.RDelayedQueue;
import org.redisson.api.RFuture;
import org.redisson.api.RLock;
import org.redisson.api.RMapCache;
import org.redisson.api.RRateLimiter;
import org.redisson.api.RReadWriteLock;
import org.redisson.api.RScript;
import org.redisson.api.RSemaphore;
import org.redisson.api.RTopic;
import org.redisson.api.RTransaction;
import org.redisson.api.RateType;
import org.redisson.api.RedissonClient;
import org.redisson.api.TransactionOptions;
import org.redisson.client.codec.LongCodec;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;
import org.redisson.config.Protocol;

/** Redisson: EVAL for each call, and EVALSHA first with `useScriptCache`; single server and cluster mode. */
final class RedissonChecks {
  static void run() {
    single("Redisson RESP2: ", Protocol.RESP2, false);
    single("Redisson RESP3, useScriptCache: ", Protocol.RESP3, true);
    Config config = new Config();
    config.useClusterServers().addNodeAddress("redis://" + HOST + ":" + SAFE_PORT).setMasterConnectionMinimumIdleSize(2);
    all("Redisson cluster mode: ", config);
  }

  private static void single(String name, Protocol protocol, boolean useScriptCache) {
    Config config = new Config();
    config.setProtocol(protocol).setUseScriptCache(useScriptCache);
    config.useSingleServer().setAddress("redis://" + HOST + ":" + SAFE_PORT).setConnectionMinimumIdleSize(2);
    all(name, config);
  }

  private static void all(String name, Config config) {
    config.setCodec(StringCodec.INSTANCE);
    RedissonClient redisson;
    try {
      redisson = Redisson.create(config);
    } catch (RuntimeException error) {
      check(name + "connects", () -> { throw error; });
      return;
    }
    RedissonClient client = redisson;
    check(name + "RBucket, RMap, RBatch, keys", () -> values(client));
    check(name + "RScript, with nodes that forget", () -> scripts(client));
    check(name + "RLock: holders wait for each other", () -> locks(client));
    check(name + "fair lock, read-write lock, multi lock, semaphore", () -> otherLocks(client));
    check(name + "RRateLimiter", () -> rateLimiter(client));
    check(name + "RDelayedQueue", () -> delayedQueue(client));
    check(name + "RBlockingQueue", () -> blockingQueue(client));
    check(name + "RMapCache", () -> mapCache(client));
    check(name + "RTopic", () -> topic(client));
    check(name + "RTransaction", () -> transaction(client));
    client.shutdown(0, 5, TimeUnit.SECONDS);
  }

  private static void values(RedissonClient client) throws Exception {
    client.getKeys().flushall();
    RBucket<String> bucket = client.getBucket("rs:bucket");
    bucket.set("value", Duration.ofMinutes(1));
    equal(bucket.get(), "value");
    equal(bucket.compareAndSet("value", "changed"), true);
    Map<String, String> map = client.getMap("rs:map");
    equal(map.put("a", "1"), null);
    equal(map.put("a", "2"), "1");
    RBatch batch = client.createBatch();
    List<RFuture<Long>> sums = new ArrayList<>();
    for (int i = 0; i < KEY_COUNT; i++) sums.add(batch.getAtomicLong("rs:n:" + i).incrementAndGetAsync());
    batch.execute();
    for (RFuture<Long> sum : sums) equal(sum.toCompletableFuture().get(10, TimeUnit.SECONDS), 1L);
    List<String> keys = new ArrayList<>();
    client.getKeys().getKeys(org.redisson.api.options.KeysScanOptions.defaults().pattern("rs:n:*")).forEach(keys::add);
    equal(keys.size(), KEY_COUNT);
    equal(client.getKeys().delete(keys.toArray(new String[0])), (long) KEY_COUNT);
  }

  private static void scripts(RedissonClient client) throws Exception {
    RScript script = client.getScript(LongCodec.INSTANCE);
    String sha = script.scriptLoad(ADD);
    for (int i = 0; i < KEY_COUNT; i++) {
      List<Object> keys = List.of("rs:script:" + i);
      client.getBucket("rs:script:" + i).delete();
      Long sum = script.eval(RScript.Mode.READ_WRITE, ADD, RScript.ReturnType.LONG, keys, 2);
      equal(sum, 2L);
      if (i % 20 == 0) loseScripts();
      Long more = script.evalSha(RScript.Mode.READ_WRITE, sha, RScript.ReturnType.LONG, keys, 3);
      equal(more, 5L);
    }
    fails("NOSCRIPT", () -> script.evalSha(RScript.Mode.READ_WRITE, UNKNOWN, RScript.ReturnType.LONG, List.of("k")));
  }

  private static void locks(RedissonClient client) throws Exception {
    AtomicInteger holders = new AtomicInteger();
    List<CompletableFuture<Void>> all = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      all.add(
          CompletableFuture.runAsync(
              () -> {
                RLock lock = client.getLock("myLock");
                lock.lock();
                equal(holders.incrementAndGet(), 1);
                lock.lock();
                lock.unlock();
                holders.decrementAndGet();
                lock.unlock();
              }));
    }
    loseScripts();
    for (CompletableFuture<Void> one : all) one.get(20, TimeUnit.SECONDS);
    RLock lock = client.getLock("myLock");
    equal(lock.tryLock(1, 10, TimeUnit.SECONDS), true);
    equal(CompletableFuture.supplyAsync(() -> client.getLock("myLock").tryLock()).get(), false);
    equal(lock.isHeldByCurrentThread(), true);
    equal(lock.remainTimeToLive() > 5000, true);
    equal(lock.forceUnlock(), true);
  }

  private static void otherLocks(RedissonClient client) throws Exception {
    RLock fair = client.getFairLock("fairLock");
    equal(fair.tryLock(1, 10, TimeUnit.SECONDS), true);
    equal(CompletableFuture.supplyAsync(() -> tryBriefly(client.getFairLock("fairLock"))).get(), false);
    fair.unlock();
    RReadWriteLock both = client.getReadWriteLock("rwLock");
    both.readLock().lock();
    equal(CompletableFuture.supplyAsync(() -> client.getReadWriteLock("rwLock").writeLock().tryLock()).get(), false);
    both.readLock().unlock();
    RLock several = client.getMultiLock(client.getLock("one"), client.getLock("two"), client.getLock("three"));
    several.lock();
    several.unlock();
    RSemaphore semaphore = client.getSemaphore("semaphore");
    semaphore.trySetPermits(2);
    semaphore.acquire(2);
    equal(semaphore.tryAcquire(), false);
    semaphore.release(2);
    semaphore.acquire();
  }

  private static boolean tryBriefly(RLock lock) {
    try {
      return lock.tryLock(100, 1000, TimeUnit.MILLISECONDS);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private static void rateLimiter(RedissonClient client) {
    RRateLimiter limiter = client.getRateLimiter("myRateLimiter");
    equal(limiter.trySetRate(RateType.OVERALL, 3, Duration.ofSeconds(2)), true);
    equal(limiter.tryAcquire(3), true);
    loseScripts();
    equal(limiter.tryAcquire(1), false);
    equal(limiter.availablePermits(), 0L);
    limiter.acquire(1);
  }

  @SuppressWarnings("deprecation")
  private static void delayedQueue(RedissonClient client) throws Exception {
    RBlockingQueue<String> queue = client.getBlockingQueue("delayed");
    RDelayedQueue<String> delayed = client.getDelayedQueue(queue);
    long startedAt = System.nanoTime();
    delayed.offer("later", 400, TimeUnit.MILLISECONDS);
    delayed.offer("sooner", 100, TimeUnit.MILLISECONDS);
    loseScripts();
    equal(queue.poll(10, TimeUnit.SECONDS), "sooner");
    equal(queue.poll(10, TimeUnit.SECONDS), "later");
    equal(System.nanoTime() - startedAt >= 390_000_000L, true);
    delayed.destroy();
  }

  private static void blockingQueue(RedissonClient client) throws Exception {
    RBlockingQueue<String> queue = client.getBlockingQueue("blocking");
    CompletableFuture<String> taken = queue.takeAsync().toCompletableFuture();
    queue.offer("element");
    equal(taken.get(10, TimeUnit.SECONDS), "element");
    equal(queue.poll(1, TimeUnit.SECONDS), null);
  }

  private static void mapCache(RedissonClient client) throws Exception {
    RMapCache<String, String> cache = client.getMapCache("cache");
    cache.put("brief", "x", 2, TimeUnit.SECONDS);
    cache.put("lasting", "y");
    equal(cache.get("brief"), "x");
    waitFor("the entry expires", () -> cache.get("brief") == null);
    equal(cache.get("lasting"), "y");
    cache.destroy();
  }

  private static void topic(RedissonClient client) throws Exception {
    BlockingQueue<String> messages = new LinkedBlockingQueue<>();
    RTopic topic = client.getTopic("topic");
    int id = topic.addListener(String.class, (channel, message) -> messages.add(channel + " " + message));
    topic.publish("hello");
    equal(messages.poll(10, TimeUnit.SECONDS), "topic hello");
    topic.removeListener(id);
  }

  private static void transaction(RedissonClient client) {
    RTransaction transaction = client.createTransaction(TransactionOptions.defaults());
    transaction.<String, String>getMap("{tx}map").put("a", "1");
    transaction.<String>getBucket("{tx}bucket").set("2");
    transaction.commit();
    equal(client.getMap("{tx}map").get("a"), "1");
    equal(client.getBucket("{tx}bucket").get(), "2");
  }

  private RedissonChecks() {}
}
