"""redis-py against evalgate, as its README and documentation show it, scripts first.

Prints one line a check: `ok NAME`, `failed NAME: why`.
"""

import asyncio
import os
import threading
import time

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, ResponseError, WatchError

HOST, PORT = os.environ["EVALGATE_ADDRESS"].split(":")
# An evalgate with `script_check_profile: safe`.
SAFE_PORT = os.environ["EVALGATE_SAFE_ADDRESS"].split(":")[1]
NODES = [node.split(":") for node in os.environ["EVALGATE_NODES"].split(",")]
KEYS = [f"py:{i}" for i in range(100)]
MULTIPLY = """
local value = redis.call('GET', KEYS[1])
value = tonumber(value)
return value * ARGV[1]"""
UNKNOWN = "f" * 40


def lose_scripts():
    """The nodes forget all scripts behind evalgate's back, as after a restart or a failover."""
    for host, port in NODES:
        with redis.Redis(host=host, port=int(port)) as node:
            node.script_flush()


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def raises(kind, text, call):
    try:
        call()
    except kind as error:
        if text not in str(error):
            raise AssertionError(f"got {error}, wanted {text}") from error
        return
    raise AssertionError(f"nothing was raised, wanted {kind.__name__}")


def values(r):
    equal(r.set("py:foo", "bar", ex=60), True)
    equal(r.get("py:foo"), "bar")
    equal(r.hset("py:hash", mapping={"a": "1", "b": "2"}), 2)
    equal(r.hgetall("py:hash"), {"a": "1", "b": "2"})
    r.zadd("py:zset", {"one": 1, "two": 2.5})
    equal([list(pair) for pair in r.zrange("py:zset", 0, -1, withscores=True)], [["one", 1.0], ["two", 2.5]])
    r.sadd("py:set", "a", "b")
    equal(r.smembers("py:set"), {"a", "b"})
    r.mset({key: str(i) for i, key in enumerate(KEYS)})
    equal(r.mget(KEYS), [str(i) for i in range(len(KEYS))])
    equal(sorted(r.scan_iter("py:[0-9]*", count=10)), sorted(KEYS))
    equal(r.config_get("maxmemory")["maxmemory"], "0")
    raises(ResponseError, "WRONGTYPE", lambda: r.lpush("py:foo", "x"))
    equal(r.delete("py:foo", "py:hash", "py:zset", "py:set", *KEYS), 4 + len(KEYS))


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for key in KEYS:
        pipe.set(key, 5).incr(key)
    equal(pipe.execute(), [True, 6] * len(KEYS))


def scripts(r):
    multiply = r.register_script(MULTIPLY)
    r.mset({key: 2 for key in KEYS})
    for i, key in enumerate(KEYS):
        equal(multiply(keys=[key], args=[5]), 10)
        if i % 20 == 0:
            lose_scripts()
    sha = r.script_load(MULTIPLY)
    lose_scripts()
    equal(r.script_exists(sha, UNKNOWN), [True, False])
    equal(r.evalsha(sha, 1, KEYS[0], 7), 14)
    equal(r.eval("return {KEYS[1], ARGV[1], 3}", 1, "key", "first"), ["key", "first", 3])
    equal(r.eval_ro("return redis.call('GET', KEYS[1])", 1, KEYS[0]), "2")
    raises(NoScriptError, "", lambda: r.evalsha(UNKNOWN, 1, "k"))
    raises(ResponseError, "MY own", lambda: r.eval("return redis.error_reply('MY own')", 1, "k"))


def scripts_in_a_pipeline(r):
    multiply = r.register_script(MULTIPLY)
    r.mset({key: 2 for key in KEYS})
    lose_scripts()
    pipe = r.pipeline(transaction=False)
    for key in KEYS:
        multiply(keys=[key], args=[5], client=pipe)
    equal(pipe.execute(), [10] * len(KEYS))
    # Without Script objects nothing is loaded first: redis-py has no way to repair this.
    lose_scripts()
    for key in KEYS:
        pipe.evalsha(multiply.sha, 1, key, 5)
    equal(pipe.execute(), [10] * len(KEYS))


def transactions(r):
    equal(r.pipeline().set("{py}n", 1).incr("{py}n").execute(), [True, 2])
    with r.pipeline() as pipe:
        pipe.watch("{py}n")
        r.incr("{py}n")
        pipe.multi()
        pipe.set("{py}n", 100)
        raises(WatchError, "", pipe.execute)

    def double(pipe):
        value = int(pipe.get("{py}n"))
        pipe.multi()
        pipe.set("{py}n", value * 2)

    equal(r.transaction(double, "{py}n"), [True])
    equal(r.get("{py}n"), "6")


def scripts_in_a_transaction(r):
    multiply = r.register_script(MULTIPLY)
    lose_scripts()
    pipe = r.pipeline().set("{py}t", 3)
    multiply(keys=["{py}t"], args=[4], client=pipe)
    equal(pipe.execute(), [True, 12])


def locks(r):
    lock = r.lock("py:lock", timeout=10)
    equal(lock.acquire(blocking=False), True)
    equal(r.lock("py:lock", timeout=10).acquire(blocking=False), False)
    lose_scripts()
    equal(lock.extend(10), True)
    equal(lock.reacquire(), True)
    lock.release()
    with r.lock("py:lock", timeout=10, blocking_timeout=1):
        equal(r.exists("py:lock"), 1)
    equal(r.exists("py:lock"), 0)


def blocking(r):
    timer = threading.Timer(0.05, lambda: r.rpush("py:queue", "job"))
    timer.start()
    equal(list(r.blpop(["py:queue"], timeout=10)), ["py:queue", "job"])
    equal(r.blpop(["py:none"], timeout=0.05), None)
    r.delete("py:stream")
    r.xadd("py:stream", {"name": "John"}, id="1-1")
    read = r.xread({"py:stream": "0"}, block=1000)
    entries = read["py:stream"] if isinstance(read, dict) else read[0][1]
    equal([(entry, dict(fields)) for entry, fields in flat(entries)], [("1-1", {"name": "John"})])


def flat(entries):
    """RESP3 gives the entries of a stream in one list more."""
    return entries[0] if isinstance(entries[0], list) and isinstance(entries[0][0], tuple) else entries


def messages(pubsub, count):
    found = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        message = pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message is not None:
            found.append((message["type"], message["channel"], message["data"]))
    return found


def pub_sub(r):
    with r.pubsub() as p:
        p.subscribe("py-first")
        p.psubscribe("py-s*")
        equal(p.get_message(timeout=5)["type"], "subscribe")
        equal(p.get_message(timeout=5)["type"], "psubscribe")
        r.publish("py-first", "1")
        r.publish("py-second", "2")
        equal(sorted(messages(p, 2)), [("message", "py-first", "1"), ("pmessage", "py-second", "2")])
        # In RESP3 redis-py itself takes the reply to PING apart, as with a single Redis server: only that it comes counts.
        p.ping()
        equal(p.get_message(timeout=5) is None, False)
        p.unsubscribe()
        p.punsubscribe()
    with r.pubsub() as p:
        p.ssubscribe("py-shard")
        equal(p.get_message(timeout=5)["type"], "ssubscribe")
        equal(r.spublish("py-shard", "x"), 1)
        message = p.get_sharded_message(timeout=5) if hasattr(p, "get_sharded_message") else p.get_message(timeout=5)
        equal(message["data"], "x")


def reconnects(r):
    r.set("py:r", 2)
    multiply = r.register_script(MULTIPLY)
    equal(multiply(keys=["py:r"], args=[2]), 4)
    with redis.Redis(host=HOST, port=int(PORT)) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    lose_scripts()
    equal(multiply(keys=["py:r"], args=[3]), 6)


def cluster(protocol):
    with redis.RedisCluster(host=HOST, port=int(PORT), protocol=protocol, decode_responses=True) as rc:
        equal(len(rc.get_nodes()), 1)
        pipe = rc.pipeline()
        for key in KEYS:
            pipe.set(key, 5)
        equal(pipe.execute(), [True] * len(KEYS))
        multiply = rc.register_script(MULTIPLY)
        lose_scripts()
        equal([multiply(keys=[key], args=[2]) for key in KEYS], [10] * len(KEYS))
        equal(rc.mget_nonatomic(KEYS), ["5"] * len(KEYS))
        equal(rc.delete(*KEYS), len(KEYS))


async def asynchronous(protocol):
    async with redis.asyncio.Redis(host=HOST, port=int(PORT), protocol=protocol, decode_responses=True) as r:
        await r.mset({key: 2 for key in KEYS})
        multiply = r.register_script(MULTIPLY)
        lose_scripts()
        equal(await asyncio.gather(*[multiply(keys=[key], args=[5]) for key in KEYS]), [10] * len(KEYS))
        async with r.pipeline(transaction=True) as pipe:
            equal(await pipe.set("{py}a", 1).incr("{py}a").execute(), [True, 2])
        async with r.pubsub() as pubsub:
            await pubsub.subscribe("py-async")
            await pubsub.get_message(timeout=5)
            await r.publish("py-async", "hello")
            equal((await pubsub.get_message(timeout=5))["data"], "hello")


def check(name, body):
    try:
        body()
    except Exception as error:  # pylint: disable=broad-except
        print(f"failed {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
    else:
        print(f"ok {name}", flush=True)


CHECKS = {
    "values of every kind": values,
    "pipelines": pipelines,
    "Script objects, with nodes that forget": scripts,
    "scripts in a pipeline": scripts_in_a_pipeline,
    "locks": locks,
    "transactions, watch": transactions,
    "blocking commands": blocking,
    "pub/sub": pub_sub,
    "reconnects": reconnects,
}


def main():
    for protocol in (2, 3):
        name = f"redis-py RESP{protocol}"

        def connect(port=PORT):
            return redis.Redis(host=HOST, port=int(port), protocol=protocol, decode_responses=True)

        for title, body in CHECKS.items():
            with connect() as client:
                check(f"{name}: {title}", lambda: body(client))
        with connect(SAFE_PORT) as client:
            check(f"{name}: scripts in a transaction, profile safe", lambda: scripts_in_a_transaction(client))
        check(f"{name}: RedisCluster", lambda: cluster(protocol))
        check(f"{name}: asyncio", lambda: asyncio.run(asynchronous(protocol)))


main()
