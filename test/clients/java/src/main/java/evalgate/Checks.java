package evalgate;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What the checks of all three libraries share: where evalgate is, and one line for each check. */
final class Checks {
  static final String HOST = "127.0.0.1";
  static final int PORT = port("EVALGATE_ADDRESS");
  /** An evalgate with `script_check_profile: safe`. */
  static final int SAFE_PORT = port("EVALGATE_SAFE_ADDRESS");
  static final int KEY_COUNT = 100;
  static final String ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
  static final String UNKNOWN = "f".repeat(40);

  interface Body {
    void run() throws Exception;
  }

  static void check(String name, Body body) {
    try {
      body.run();
      System.out.println("ok " + name);
    } catch (Throwable problem) {
      System.out.println(("failed " + name + ": " + problem + causeOf(problem)).replace('\n', ' '));
    }
  }

  private static String causeOf(Throwable problem) {
    return problem.getCause() == null ? "" : ", because of " + problem.getCause();
  }

  static void equal(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) throw new AssertionError("got " + got + ", wanted " + wanted);
  }

  static void fails(String text, Callable<?> call) throws Exception {
    Object got;
    try {
      got = call.call();
    } catch (Exception error) {
      if (String.valueOf(error).contains(text)) return;
      throw error;
    }
    throw new AssertionError("got " + got + ", wanted an error with " + text);
  }

  static void waitFor(String what, Callable<Boolean> condition) throws Exception {
    for (long end = System.nanoTime() + 10_000_000_000L; System.nanoTime() < end; Thread.sleep(20)) {
      if (condition.call()) return;
    }
    throw new AssertionError("waited in vain: " + what);
  }

  /** The nodes forget all scripts behind evalgate's back, as after a restart or a failover. */
  static void loseScripts() {
    for (String node : System.getenv("EVALGATE_NODES").split(",")) {
      RedisClient client = RedisClient.create(RedisURI.create("redis://" + node));
      client.connect().sync().scriptFlush();
      client.shutdown();
    }
  }

  /** Every connection to evalgate but this one is ended. */
  static void killClients() {
    RedisClient client = RedisClient.create(RedisURI.create(HOST, PORT));
    client.connect().sync().clientKill(io.lettuce.core.KillArgs.Builder.typeNormal().skipme());
    client.shutdown();
  }

  private static int port(String name) {
    return Integer.parseInt(System.getenv(name).split(":")[1]);
  }

  private Checks() {}
}
