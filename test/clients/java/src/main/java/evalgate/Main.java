package evalgate;

/**
 * Lettuce, Jedis and Redisson against evalgate, as their documentation shows them, scripts first. Prints one line a check:
 * `ok NAME`, `failed NAME: why`.
 */
public final class Main {
  public static void main(String[] args) {
    LettuceChecks.run();
    JedisChecks.run();
    RedissonChecks.run();
    // Threads of a library that outlive its shutdown would keep the process.
    System.exit(0);
  }

  private Main() {}
}
