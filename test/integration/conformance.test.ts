/**
 * C1, in RESP2 and in RESP3: what a client gets through evalgate is what the node says, byte for byte. Every group of commands goes as one
 * pipeline to evalgate and as one pipeline to the node that owns the keys, from the same state.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import { type Argument, encodeCommand, RawClient } from '../support/client.ts';
import { ownerOf, slotOfKey } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { isAtLeast, SERVER } from '../support/versions.ts';

/** Words separated by blanks, `@` for the hash tag; or the arguments as they are. */
type Line = string | readonly Argument[];

const TAG = '{conformance}';
const BINARY = Buffer.from(Array.from({ length: 512 }, (_, i) => i & 0xff));
const NASTY = Buffer.from('$5\r\nhello\r\n*1\r\n-ERR no\r\n:1\r\n\0\xff', 'latin1');

function script(body: string, ...args: readonly Argument[]): Line {
  return ['EVAL', body, 1, `${TAG}script`, ...args];
}

/** Commands separated by `|` and line breaks. */
function lines(text: string): Line[] {
  return text.trim().split(/ \| |\s*\n\s*/);
}

function shaOf(body: string): string {
  return createHash('sha1').update(body).digest('hex');
}

const GROUPS: Readonly<Record<string, readonly Line[]>> = {
  strings: lines(`
    SET @s hello | GET @s | GET @none | SET @s x NX | SET @s y XX GET | SET @n v GET | GETSET @s z
    APPEND @s tail | STRLEN @s | GETRANGE @s 1 3 | SETRANGE @s 40 end | GET @s | SUBSTR @s 0 2 | INCR @i
    INCRBY @i 41 | DECR @i | DECRBY @i 100 | INCRBYFLOAT @f 10.5 | INCRBYFLOAT @f -1e-3 | SETNX @i 1
    MSET @a 1 @b 2 @c 3 | MGET @a @none @b @a | MSETNX @a 1 @d 2 | GETDEL @a | GETEX @b PERSIST | LCS @b @c
    SET @big 9223372036854775807 | INCR @big | INCR @s | INCRBY @i 1.5 | SETEX @s 0 x | SETEX @e 100 x
    SET @s v EX abc | SET @s v BOGUS | SET @s | GET | GET @a @b | MSET @a | GETRANGE @s a b | TYPE @s
    OBJECT ENCODING @i | OBJECT ENCODING @none | LCS @b @c IDX WITHMATCHLEN | DUMP @none | EXISTS @a @b @b
  `),
  keys: lines(`
    SET @k v | EXPIREAT @k 33177117420 | EXPIRETIME @k | PEXPIRETIME @k | PERSIST @k | TTL @k | TTL @none
    EXPIRE @none 10 | EXPIRE @k 10 BOGUS | EXPIRE @k 9223372036854775807 | RENAME @k @k2 | RENAMENX @k2 @k
    RENAME @none @x | COPY @k @k3 | COPY @k @k3 | COPY @k @k3 REPLACE | TOUCH @k @none | UNLINK @k3 | TYPE @none
    DEL @k @k @none | RESTORE @r 0 garbage | SORT @none | OBJECT HELP | OBJECT FREQ @none | OBJECT BOGUS @k
    MOVE @k 1 | TYPE | PTTL @none @none
  `),
  lists: lines(`
    RPUSH @l 3 1 2 3 10 | LPUSH @l zero | LRANGE @l 0 -1 | LRANGE @l 2 1 | LINDEX @l 1 | LINDEX @l 99 | LLEN @l
    LSET @l 0 first | LSET @l 99 x | LSET @none 0 x | LREM @l 0 3 | LINSERT @l BEFORE 1 half
    LINSERT @l MIDDLE 1 x | LPOS @l 10 | LPOS @l 10 COUNT 0 | LPOP @l | LPOP @l 2 | LPOP @none 2 | RPOP @l 0
    LPOP @l -1 | LTRIM @l 0 0 | RPUSH @n 30 4 100 | SORT @n | SORT @n DESC LIMIT 0 2
    SORT @n ALPHA STORE @sorted | LRANGE @sorted 0 -1 | SORT @n STORE | SORT @l | SORT_RO @n
    LMOVE @n @m LEFT RIGHT | RPOPLPUSH @n @m | LMPOP 2 @none @m LEFT COUNT 5 | LMPOP 0 @m LEFT | LPUSHX @none x
    GET @n | LPUSH @l | RPUSH @n a | SORT @n BY weight_* GET #
  `),
  hashes: lines(`
    HSET @h f 1 g 2 h x | HGETALL @h | HGET @h f | HGET @h none | HMGET @h f none g | HMSET @h i 9 | HLEN @h
    HINCRBY @h f 5 | HINCRBY @h h 1 | HINCRBYFLOAT @h g 0.1 | HKEYS @h | HVALS @h | HEXISTS @h f | HSTRLEN @h f
    HSETNX @h f 0 | HDEL @h f none | HGETALL @none | HSCAN @h 0 | HSCAN @h 0 MATCH g* COUNT 10 | HSCAN @h x
    HSET @h odd | HSET @h a b c | LPUSH @h x | HRANDFIELD @none | HRANDFIELD @none 3 | HRANDFIELD @h a
    HSCAN @none 0
  `),
  sets: lines(`
    SADD @1 1 2 3 4 | SADD @2 3 4 5 | SADD @1 1 | SCARD @1 | SISMEMBER @1 1 | SMISMEMBER @1 1 9 2 | SMEMBERS @1
    SINTER @1 @2 | SUNION @1 @2 | SDIFF @1 @2 | SDIFFSTORE @3 @1 @2 | SINTERCARD 2 @1 @2 LIMIT 1
    SUNIONSTORE @4 @1 @2 | SMOVE @1 @2 1 | SREM @1 9 | SPOP @none | SPOP @none 2 | SRANDMEMBER @none
    SRANDMEMBER @none 4 | SSCAN @1 0 | SINTERCARD 0 @1 | SINTERCARD x @1 | SADD @1 | GET @1 | SINTER
    SINTERSTORE @1 @none | SMEMBERS @1 | SPOP @2 -1
  `),
  'sorted sets': lines(`
    ZADD @z 1 a 2 b 3.5 c | ZADD @z GT CH 9 a | ZADD @z INCR 1 a | ZADD @z NX XX 1 a | ZADD @z 1 | ZADD @z x a
    ZRANGE @z 0 -1 | ZRANGE @z 0 -1 WITHSCORES | ZRANGE @z (2 +inf BYSCORE LIMIT 0 1 | ZRANGE @z - + BYLEX
    ZSCORE @z c | ZSCORE @z none | ZMSCORE @z a none | ZRANK @z b | ZREVRANK @z none | ZINCRBY @z 1e20 a
    ZINCRBY @z inf b | ZCARD @z | ZCOUNT @z 0 10 | ZLEXCOUNT @z - +
    ZRANGEBYSCORE @z -inf +inf WITHSCORES LIMIT 1 1 | ZREVRANGE @z 0 0 | ZPOPMIN @z | ZPOPMAX @z 2
    ZPOPMIN @none | ZADD @y 1 a 2 b | ZADD @x 3 b 4 c | ZUNIONSTORE @u 2 @x @y WEIGHTS 2 1 AGGREGATE MAX
    ZRANGE @u 0 -1 WITHSCORES | ZUNION 2 @x @y WITHSCORES | ZINTER 2 @x @y | ZDIFF 2 @x @y
    ZINTERSTORE @u 2 @x @y | ZUNIONSTORE @u 0 @x | ZUNIONSTORE @u 2 @x | ZINTERCARD 2 @x @y
    ZRANGESTORE @r @x 0 0 | ZMPOP 1 @x MIN | ZRANDMEMBER @none | ZREM @y a | ZREMRANGEBYRANK @y 0 -1
    ZSCAN @x 0 | ZADD @z nan a | LPUSH @x y | ZRANGE @x a b | ZDIFFSTORE @r 1 @x
  `),
  streams: lines(`
    XADD @s 1-1 f v g w | XADD @s 1-2 f v2 | XADD @s 1-1 f v | XADD @s 0-0 f v | XADD @s MAXLEN 5 2-* f v
    XADD @s 1-3 f | XADD @none NOMKSTREAM 1-1 f v | XLEN @s | XRANGE @s - + | XRANGE @s - + COUNT 1
    XREVRANGE @s + - | XRANGE @s x y | XREAD COUNT 1 STREAMS @s 0 | XREAD STREAMS @s @none 0 0
    XREAD STREAMS @s $ | XREAD STREAMS @s | XREAD COUNT 1 | XGROUP CREATE @s g 0 | XGROUP CREATE @s g 0
    XGROUP CREATE @none g 0 | XGROUP CREATE @mk g $ MKSTREAM | XREADGROUP GROUP g c COUNT 1 STREAMS @s >
    XREADGROUP GROUP no c STREAMS @s > | XPENDING @s g | XACK @s g 1-1 | XINFO GROUPS @s | XINFO STREAM @s
    XINFO STREAM @none | XINFO BOGUS @s | XGROUP CREATECONSUMER @s g d | XGROUP BOGUS | XDEL @s 1-1 9-9
    XTRIM @s MAXLEN 1 | XSETID @s 9-9 | XCLAIM @s g c 0 1-2 JUSTID | XAUTOCLAIM @s g c 0 0 | XINFO HELP
  `),
  'geo, bits and counting': lines(`
    GEOADD @g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania | GEODIST @g Palermo Catania km
    GEOPOS @g Palermo none | GEOHASH @g Palermo
    GEOSEARCH @g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST | GEOADD @g 999 0 x
    GEOSEARCHSTORE @to @g FROMMEMBER Palermo BYBOX 400 400 km | GEORADIUS @g 15 37 200 km STORE @to2
    ZCARD @to2 | GEORADIUSBYMEMBER_RO @g Palermo 100 km | GEODIST @g Palermo none | SETBIT @b 7 1 | GETBIT @b 7
    BITCOUNT @b | BITCOUNT @b 0 0 BIT | BITPOS @b 1 | BITOP NOT @n @b | BITOP AND @n @b @none
    BITOP NOT @n @b @b | SETBIT @b 7 2 | BITFIELD @b SET u8 0 255 GET u4 0 INCRBY u2 100 1
    BITFIELD @b OVERFLOW FAIL INCRBY u2 102 9 | BITFIELD @b GET u65 0 | BITFIELD_RO @b GET i8 0
    BITFIELD_RO @b SET u8 0 1 | PFADD @p a b c | PFCOUNT @p | PFADD @q c d | PFCOUNT @p @q | PFMERGE @m @p @q
    PFCOUNT @m | SET @str x | PFCOUNT @str | PFADD @p
  `),
  'seldom used': lines(`
    ACL CAT | ACL DRYRUN default GET @k | ACL DRYRUN nobody GET @k | ACL GETUSER default
    ACL GETUSER nobody | ACL HELP | ACL LIST | ACL USERS | ACL WHOAMI | ASKING | READWRITE | AUTH password | AUTH a b c
    CLIENT HELP | CLUSTER HELP | COMMAND GETKEYSANDFLAGS SET @a b | COMMAND HELP | CONFIG HELP
    CONFIG RESETSTAT | CONFIG SET hz 10 | CONFIG SET hz x | CONFIG SET nosuch x | CONFIG REWRITE | FLUSHDB | FLUSHDB BOGUS
    FUNCTION FLUSH | FUNCTION LIST | FUNCTION DUMP | FUNCTION DELETE none | FUNCTION LOAD nothing | FUNCTION HELP
    FUNCTION RESTORE garbage | FUNCTION FLUSH BOGUS | LATENCY DOCTOR | LATENCY GRAPH none | LATENCY HISTORY none
    LATENCY LATEST | LATENCY RESET | MEMORY HELP | MEMORY PURGE | SLOWLOG RESET | SLOWLOG GET
    SLOWLOG LEN | MODULE HELP | MODULE LIST | GEOADD @g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
    GEORADIUS_RO @g 15 37 200 km WITHCOORD | GEORADIUSBYMEMBER @g Palermo 200 km | SET @k v | OBJECT IDLETIME @k
    OBJECT REFCOUNT @k | PEXPIRE @k 100000 | PEXPIREAT @k 33177117420000 | PEXPIRETIME @k | PSETEX @k 100000 v
    PUBLISH nobody hears | SPUBLISH @nobody hears | RPUSHX @none x | SETEX @k 100 v | SMEMBERS @none
    ZREMRANGEBYLEX @z - + | ZREMRANGEBYSCORE @z 0 1 | ZREVRANGEBYLEX @z + - | ZREVRANGEBYSCORE @z 1 0
    ZRANGEBYLEX @z - + | XGROUP SETID @none g 0 | XGROUP DESTROY @none g | XGROUP DELCONSUMER @none g c | XGROUP HELP
    XINFO CONSUMERS @none g | MEMORY USAGE @none | OBJECT FREQ @k | PFMERGE @p | WAIT 0 1
  `),
  'since 7.2': lines(`
    HSET @f f 1 g 2 h 3 i 4 | HEXPIRE @f 100000 FIELDS 1 f | HPEXPIRE @f 100000 NX FIELDS 1 f
    HEXPIREAT @f 33177117420 FIELDS 2 f none | HEXPIRETIME @f FIELDS 2 f g | HPERSIST @f FIELDS 2 f g
    HPEXPIREAT @f 33177117420000 FIELDS 1 g | HPEXPIRETIME @f FIELDS 1 g | HTTL @f FIELDS 2 none h | HPTTL @f FIELDS 1 h
    HGETEX @f PERSIST FIELDS 1 g | HGETDEL @f FIELDS 2 i none | HSETEX @f EX 1000 FIELDS 1 h 5 | HSETEX @f FIELDS 1
    HTTL @none FIELDS 1 f | HEXPIRE @f x FIELDS 1 f | HGETEX @f FIELDS 3 f | HGETALL @f | SET @d v | DELIFEQ @d w
    DELIFEQ @d v | SET @d v IFEQ w | MSETEX 2 @d 1 @e 2 EX 100000 | MSETEX 1 @d 3 NX | MSETEX 2 @d 1 | MGET @d @e
    XADD @s 1-1 f v | XGROUP CREATE @s g 0 | XREADGROUP GROUP g c STREAMS @s > | XACKDEL @s g ACKED IDS 1 1-1
    XDELEX @s IDS 2 1-1 9-9 | XLEN @s | VADD @v VALUES 2 1 0 a | VADD @v VALUES 2 0 1 b SETATTR {"x":1} | VCARD @v
    VDIM @v | VEMB @v a | VGETATTR @v b | VSETATTR @v a {"y":2} | VGETATTR @v a | VISMEMBER @v none | VLINKS @none a
    VINFO @none | VRANDMEMBER @none | VSIM @v VALUES 2 1 0 COUNT 1 | VREM @v a | VCARD @v | COMMANDLOG RESET large-request
    COMMANDLOG LEN large-request | COMMANDLOG GET 3 large-request | COMMANDLOG HELP | COMMANDLOG GET 1 bogus | WAITAOF 0 0 1
    SCRIPT SHOW ffffffffffffffffffffffffffffffffffffffff | ZRANK @none a WITHSCORE | STRALGO LCS KEYS @none @none2
    STRALGO LCS LEN STRINGS ohmytext mynewtext | STRALGO BOGUS
  `),
  'refusals and facts': [
    ...lines(`
      NOSUCH | nosuch a b c | GET | CONFIG BOGUS | CONFIG | OBJECT | XGROUP | SCRIPT BOGUS | SCRIPT
      FUNCTION BOGUS | CONFIG GET maxmemory-policy | CONFIG GET | COMMAND INFO GET nosuch
      COMMAND GETKEYS MSET a 1 b 2 | COMMAND COUNT | COMMAND GETKEYS PING | COMMAND GETKEYS EVAL x 2 a b c
      COMMAND BOGUS | COMMAND DOCS SET | COMMAND LIST FILTERBY PATTERN xadd | PING | PING hello | PING a b
      ECHO text | ECHO | ECHO a b | SELECT 0 | SELECT 1 | SELECT x | SELECT | SWAPDB 0 1 | HELLO 9 | HELLO x
      HELLO 2 BOGUS | CLIENT GETNAME | CLIENT SETNAME | CLIENT GETNAME x | SCRIPT LOAD | SCRIPT HELP
      SCRIPT EXISTS | SCRIPT FLUSH BOGUS | SCRIPT KILL | SCRIPT KILL x | FUNCTION KILL | FUNCTION LIST | FCALL f
      FCALL f x | FCALL none 1 @k | FCALL none 0 | FCALL_RO none 1 @k | FCALL none 2 @k | FCALL none -1
      SLOWLOG HELP | PUBSUB HELP | MEMORY USAGE @none | CLUSTER KEYSLOT foo | LATENCY HELP | RANDOMKEY x | DBSIZE x | SCAN
      SCAN x | SCAN 0 BOGUS | SCAN 0 COUNT 0 | WAIT | WAIT x y | KEYS | FLUSHALL BOGUS
      INFO nosuch | TIME x | READONLY x | EVAL | EVALSHA x | EVAL x y | EVAL x 3 @k
    `),
    ['', 'a'],
    ['GET\r\n', 'a'],
    [Buffer.from([0xff, 0x00, 0x0d, 0x0a]), NASTY],
    ['x'.repeat(300), 'y'.repeat(300)],
  ],
  'binary and big values': [
    ['SET', `${TAG}binary`, BINARY],
    ['GET', `${TAG}binary`],
    ['SET', `${TAG}nasty`, NASTY],
    ['MGET', `${TAG}nasty`, `${TAG}binary`],
    ['SET', Buffer.concat([Buffer.from(TAG), BINARY]), 'by a binary key'],
    ['GET', Buffer.concat([Buffer.from(TAG), BINARY])],
    ['SET', `${TAG}`, ''],
    ['GET', `${TAG}`],
    ['SET', `${TAG}big`, Buffer.alloc(3_000_000, 'evalgate')],
    ['GET', `${TAG}big`],
    ['GETRANGE', `${TAG}big`, 0, 70_000],
    ['RPUSH', `${TAG}many`, ...Array.from({ length: 20_000 }, (_, i) => `element ${i}`)],
    ['LRANGE', `${TAG}many`, 0, -1],
    ['EVAL', 'return {ARGV[1], #ARGV[1]}', 1, `${TAG}k`, BINARY],
    ['EVAL', `return string.rep('x', ${1_000_000})`, 1, `${TAG}k`],
    ['ECHO', NASTY],
  ],
  scripts: [
    ...[
      '1',
      '-1',
      '3.99',
      '2^53',
      '0',
      "'text'",
      "''",
      'true',
      'false',
      'nil',
      '{}',
      '{1,2,3}',
      "{1,'two',{3,{4,{}}}}",
    ].map((value) => script(`return ${value}`)),
    ...[
      '{1,2,nil,4}',
      "{ok='FINE'}",
      "{err='MY error'}",
      "{err='-MY error'}",
      "redis.error_reply('MY text')",
      '{true,false}',
    ].map((value) => script(`return ${value}`)),
    ...[
      "redis.error_reply('one')",
      "redis.status_reply('GOOD')",
      '{double=3.5}',
      '{map={a=1}}',
      "{err=''}",
      "{ok=''}",
    ].map((value) => script(`return ${value}`)),
    ...[
      "redis.sha1hex('')",
      'KEYS',
      'ARGV',
      'tostring(3.5)',
      '#KEYS + #ARGV',
      'cjson.encode({a={1,2}})',
      'cmsgpack.pack(1)',
    ].map((value) => script(`return ${value}`, 'one', 'two')),
    script("return redis.call('SET', KEYS[1], ARGV[1])", 'value'),
    script("return redis.call('GET', KEYS[1])"),
    script("return redis.call('GET', KEYS[1])"),
    script("return redis.call('INCR', KEYS[1])"),
    script("return redis.pcall('INCR', KEYS[1])"),
    script("return {redis.pcall('INCR', KEYS[1]), 1}"),
    script("return redis.call('NOSUCH')"),
    script("return redis.call('GET')"),
    script("return redis.call('GET', 'another slot')"),
    script('error("thrown")'),
    script('error({err="thrown table"})'),
    script('return nosuch'),
    script('this does not compile'),
    script('return "unfinished'),
    script("redis.setresp(3); return redis.call('HGETALL', KEYS[1]..'none')"),
    script(
      "redis.call('DEL', KEYS[1]); redis.call('RPUSH', KEYS[1], 1, 2, 3); return redis.call('LRANGE', KEYS[1], 0, -1)",
    ),
    script('#!lua flags=no-writes\nreturn redis.call("LLEN", KEYS[1])'),
    script('#!lua flags=no-writes\nreturn redis.call("DEL", KEYS[1])'),
    script('#!lua flags=bogus\nreturn 1'),
    ['EVAL_RO', "return redis.call('LRANGE', KEYS[1], 0, 1)", 1, `${TAG}script`],
    ['EVAL_RO', "return redis.call('DEL', KEYS[1])", 1, `${TAG}script`],
    ['EVALSHA', shaOf('return KEYS'), 1, `${TAG}a`],
    ['EVALSHA', shaOf('return KEYS').toUpperCase(), 2, `${TAG}a`, `${TAG}b`, 'c'],
    ['EVALSHA_RO', shaOf('return ARGV'), 1, `${TAG}a`, 'b'],
    ['EVALSHA', 'f'.repeat(40), 1, `${TAG}a`],
    ['EVALSHA', 'not a sha', 1, `${TAG}a`],
    ['EVALSHA', shaOf('return KEYS'), 'x', `${TAG}a`],
    ['EVALSHA', shaOf('return KEYS'), 2, `${TAG}a`],
    ['SCRIPT', 'LOAD', 'return 42'],
    ['SCRIPT', 'LOAD', 'no lua at all'],
    ['SCRIPT', 'EXISTS', shaOf('return 42'), 'f'.repeat(40)],
    ['EVALSHA', shaOf('return 42'), 1, `${TAG}a`],
  ],
};

/** Commands that cannot be held against the reply of another moment, and why. */
const NOT_COMPARABLE: Readonly<Record<string, string>> = {
  'acl|deluser': 'changes the users of the whole cluster',
  'acl|genpass': 'at random',
  'acl|load': 'reads a file of the node',
  'acl|log': 'of the moment',
  'acl|save': 'writes a file of the node',
  'acl|setuser': 'changes the users of the whole cluster',
  bgrewriteaof: 'of the moment: one may be under way',
  bgsave: 'of the moment: one may be under way',
  lastsave: 'of the moment',
  clusterscan: 'the node that owns key "0" begins: versions.test.ts',
  'host:': 'ends the connection',
  'latency|histogram': 'of the moment',
  lolwut: 'at random',
  'memory|doctor': 'of the moment',
  'memory|malloc-stats': 'of the moment',
  'memory|stats': 'of the moment',
  post: 'ends the connection',
  role: 'of the moment: a replication offset',
  save: 'of the moment: one may be under way',
};

/** What a node answers alone or with others; commands about the client's own connection have tests of their own. */
const BY_NODES: readonly string[] = [
  ...['keys', 'split', 'any', 'broadcast', 'eval', 'evalsha', 'fcall', 'scan', 'randomkey', 'wait', 'xread'],
  ...['script_load', 'script_exists', 'script_flush', 'script_kill'],
];

/** Where evalgate answers in the words of 7.0, and 6.2 has others. */
const WORDS_OF_7: ReadonlySet<unknown> = new Set(['CLIENT SETNAME', 'CLIENT GETNAME x']);
/** Valkey 9 has databases in a cluster, evalgate has not: SELECT 1 is refused in the words of others. */
const HAS_DATABASES = isAtLeast({ redis: Number.POSITIVE_INFINITY, valkey: 9 });
const isOtherWise = (line: Line) =>
  (SERVER.version < 7 && WORDS_OF_7.has(line)) || (HAS_DATABASES && line === 'SELECT 1');
const SENT = Object.entries(GROUPS).map(([name, group]) => [name, group.filter((line) => !isOtherWise(line))] as const);
const ALL = SENT.flatMap(([, group]) => group);

function argumentsOf(line: Line): readonly Argument[] {
  return typeof line === 'string' ? line.split(' ').map((word) => word.replace(/^@/, TAG)) : line;
}

describe('evalgate answers as the node does', () => {
  let gateway: Gateway;
  let owner: LocalNode;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000 }, { scripting: { script_check_enable: 0 } });
    owner = await ownerOf(gateway.cluster, slotOfKey(TAG));
  });
  after(() => gateway.stop());
  beforeEach(() => reset());

  /** Through the proxy: a flush behind its back would change the order in which healed scripts run (C3). */
  async function reset(): Promise<void> {
    const client = await RawClient.connect(gateway.port);
    assert.deepEqual((await client.pipeline([['FLUSHALL'], ['SCRIPT', 'FLUSH']])).map(String), ['+OK\r\n', '+OK\r\n']);
    client.close();
  }

  async function repliesOf(
    { port, protocol }: { port: number; protocol: number },
    count: number,
    send: (client: RawClient) => void,
  ): Promise<Buffer[]> {
    const client = await RawClient.connect(port);
    if (protocol === 3) assert.match(await client.text('HELLO', 3), /^%7\r\n/);
    send(client);
    const replies = await client.replies(count);
    client.close();
    return replies;
  }

  async function compare(
    { sent, protocol }: { sent: readonly Line[]; protocol: number },
    send: (client: RawClient, bytes: Buffer) => void,
  ): Promise<void> {
    const commands = sent.map(argumentsOf);
    const bytes = Buffer.concat(commands.map(encodeCommand));
    const got = await repliesOf({ port: gateway.port, protocol }, sent.length, (client) => send(client, bytes));
    await reset();
    const wanted = await repliesOf({ port: owner.port, protocol }, sent.length, (client) => send(client, bytes));
    for (const [i, reply] of got.entries()) {
      if (wanted[i]?.equals(reply)) continue;
      const [command, expected, actual] = [
        commands[i]?.join(' '),
        wanted[i]?.toString('latin1'),
        reply.toString('latin1'),
      ];
      assert.equal(actual.slice(0, 2000), expected?.slice(0, 2000), `the reply to ${command?.slice(0, 200)}`);
      assert.fail(`the replies to ${command?.slice(0, 200)} differ behind 2000 bytes`);
    }
  }

  for (const protocol of [2, 3]) {
    for (const [name, group] of SENT) {
      it(`RESP${protocol}, ${name}: ${group.length} replies in one pipeline are the same bytes`, () =>
        compare({ sent: group, protocol }, (client, bytes) => client.send(bytes)));
    }

    it(`RESP${protocol}, all ${ALL.length} commands in one pipeline, in pieces of 1,009 bytes`, () =>
      compare({ sent: ALL, protocol }, (client, bytes) => {
        for (let at = 0; at < bytes.length; at += 1009) client.send(bytes.subarray(at, at + 1009));
      }));
  }

  it('every command that is not refused is among them', () => {
    const sent = new Set(
      ALL.map(argumentsOf).flatMap(([name, sub]) => [`${name}`.toLowerCase(), `${name}|${sub}`.toLowerCase()]),
    );
    const missing = gateway.proxy.planner.table.commands
      .flatMap((command) => [...(command.subcommands?.commands ?? [command])])
      .filter(
        ({ name, handling }) => BY_NODES.includes(handling) && !sent.has(name) && !Object.hasOwn(NOT_COMPARABLE, name),
      )
      .map(({ name }) => name);
    assert.deepEqual(missing, []);
  });
});
