/**
 * The Lua checks over the wire: every example of the Tair page as it stands there, every text of every rule, when they
 * are judged, what each switch of the config changes, and what the log says. Several evalgates, one a config, stand in
 * front of one cluster.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { bulk, error, type Scripting, Stand, shaOf } from '../support/stand.ts';
import { NOSCRIPT } from '../support/versions.ts';

const BAD = 'ERR bad lua script for redis cluster, ';
const NESTED = `${BAD}nested redis.call/redis.pcall`;
const LITERAL = `${BAD}first parameter of redis.call/pcall must be a single literal string`;
const PARENTHESIS = `${BAD}redis.call/pcall expect '('`;
const INCOMPLETE = `${BAD}redis.call/redis.pcall definition is not complete, expect ')'`;
const UNKNOWN = (name: string) => `${BAD}redis.call/pcall unkown redis command ${name}`;
const UNPACK = `${BAD}unpack is not supported`;
const KEYS_ARRAY = `${BAD}all the keys that the script uses should be passed using the KEYS array`;
const Z_KEYS = `${KEYS_ARRAY}, include destination, and KEYS should not be in expression`;
const Z_LITERAL = `${BAD}ZUNIONSTORE/ZINTERSTORE numkeys parameter should be a single number and not expression`;
const Z_INTEGER = `${BAD}ZUNIONSTORE/ZINTERSTORE numkeys value is not an integer or out of range`;
const Z_NONE = `${BAD}at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE`;
const Z_FEW = `${BAD}ZUNIONSTORE/ZINTERSTORE key count < numkeys`;
const Z_SOURCE = `${BAD}ZUNIONSTORE/ZINTERSTORE all the keys that the script uses should be passed using the KEYS array`;
const X_SYNTAX = `${BAD}xread/xreadgroup command syntax error`;
const X_STREAMS = `${BAD}xread/xreadgroup command syntax error, streams must be specified`;
const X_KEYS = `${BAD}XREAD/XREADGROUP all the keys that the script uses should be passed using the KEYS array`;
const S_SYNTAX = `${BAD}sort command syntax error`;
const S_KEYS = `${KEYS_ARRAY}, and KEYS should not be in expression, sort command store key does not meet the requirements`;
const READ_ONLY = 'ERR Write commands are not allowed from read-only scripts';
const KEYLESS = "ERR for redis cluster, eval/evalsha number of keys can't be negative or zero";
const SAME_SLOT = "ERR 'EVAL' command keys must in same slot";
const NIL = '$-1\r\n';

describe('Lua checks', () => {
  let cluster: LocalCluster;
  let tair: Stand;
  let legacy: Stand;
  let safe: Stand;
  let nextBody = 0;
  const others: Stand[] = [];

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0 });
    tair = await Stand.start(cluster, {});
    legacy = await Stand.start(cluster, { script_check_profile: 'tair_legacy' });
    safe = await Stand.start(cluster, { script_check_profile: 'safe' });
  });
  after(async () => {
    for (const stand of [tair, legacy, safe, ...others]) await stand?.stop();
    await cluster.stop();
  });
  beforeEach(async () => {
    await tair.text('FLUSHALL');
    await tair.text('SET', 'foo', 'value_test');
  });

  async function standWith(scripting: Scripting): Promise<Stand> {
    const stand = await Stand.start(cluster, scripting);
    others.push(stand);
    return stand;
  }

  /** The same script under a sha that nothing has seen yet. */
  function newBody(body: string): string {
    return `${body} -- ${nextBody++}`;
  }

  async function loadOnAllNodes(body: string): Promise<void> {
    for (const node of cluster.masters) await node.client().script('LOAD', body);
  }

  /** How many of the masters hold the script. */
  async function holderCount(body: string): Promise<number> {
    const answers = await Promise.all(cluster.masters.map((node) => node.client().script('EXISTS', shaOf(body))));
    return (answers as number[][]).filter(([held]) => held === 1).length;
  }

  describe('the examples of the Tair page, as given', () => {
    const GET = "return redis.call('GET', KEYS[1])";
    const SET = "return redis.call('set', KEYS[1], ARGV[1])";
    const MGET = "return redis.call('mget', KEYS[1], KEYS[2])";
    const both = '*2\r\n$10\r\nvalue_test\r\n$-1\r\n';
    const examples: [profile: 'tair' | 'tair_legacy', args: Argument[], reply: string][] = [
      ['tair', ['EVAL', GET, 1, 'foo'], bulk('value_test')],
      // The page shows the sha of the script without the blank.
      [
        'tair',
        ['SCRIPT', 'LOAD', "return redis.call('GET',KEYS[1])"],
        bulk('620cd258c2c9c88c9d10db67812ccf663d96bdc6'),
      ],
      ['tair', ['EVALSHA', '620cd258c2c9c88c9d10db67812ccf663d96bdc6', 1, 'foo'], bulk('value_test')],
      ['tair', ['SCRIPT', 'EXISTS', '620cd258c2c9c88c9d10db67812ccf663d96bdc6', 'f'.repeat(40)], '*2\r\n:1\r\n:0\r\n'],
      ['tair', ['EVAL', "return redis.call('set', 'k1', 'v1')", 0], error(KEYLESS)],
      ['tair', ['EVAL', SET, 1, 'k1', 'v1'], '+OK\r\n'],
      ['tair', ['EVAL', SET, 1, 'k2', 'v2'], '+OK\r\n'],
      ['tair', ['SCRIPT', 'LOAD', SET], bulk('55b22c0d0cedf3866879ce7c854970626dcef0c3')],
      ['tair', ['EVALSHA', '55b22c0d0cedf3866879ce7c854970626dcef0c3', 1, 'k1', 'v1'], '+OK\r\n'],
      ['tair', ['EVAL', "return redis.call('get', KEYS[1])", 1, 'fooeval'], NIL],
      ['tair', ['EVAL', "return redis.call('get', 'foo')", 0], error(KEYLESS)],
      ['tair', ['EVAL', MGET, 2, 'foo', '{foo}bar'], both],
      ['tair', ['EVAL', MGET, 2, 'foo', 'foobar'], error(SAME_SLOT)],
      // Valid as a script; its keys are in two slots.
      [
        'tair',
        ['EVAL', "local value = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[2], value)", 2, 'foo', 'bar'],
        error(SAME_SLOT),
      ],
      ['tair', ['EVAL', "redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]))", 2, 'foo', 'bar'], error(NESTED)],
      ['tair', ['eval', "redis.call('GET', KEYS[1])", 1, 'foo'], NIL],
      ['tair', ['eval', "local cmd = 'GET'; redis.call(cmd, KEYS[1])", 1, 'foo'], error(LITERAL)],
      ['tair_legacy', ['EVAL', MGET, 2, 'foo', '{foo}bar'], both],
      ['tair_legacy', ['EVAL', "return redis.call('mget', KEYS[1], '{foo}bar')", 1, 'foo'], error(KEYS_ARRAY)],
      ['tair', ['EVAL', "return redis.call('mget', KEYS[1], '{foo}bar')", 1, 'foo'], both],
      [
        'tair_legacy',
        ['EVAL', "local i = 2 return redis.call('mget', KEYS[1], KEYS[i])", 2, 'foo', '{foo}bar'],
        error(KEYS_ARRAY),
      ],
      ['tair', ['EVAL', "local i = 2 return redis.call('mget', KEYS[1], KEYS[i])", 2, 'foo', '{foo}bar'], both],
      ['tair_legacy', ['EVAL', "return redis.call('mget', KEYS[1], ARGV[1])", 1, 'foo', '{foo}bar'], error(KEYS_ARRAY)],
      ['tair', ['SCRIPT', 'DEBUG', 'YES'], error('ERR script debug not support')],
      ['tair', ['EVAL_RO', "return redis.call('SET', KEYS[1], 'x')", 1, 'foo'], error(READ_ONLY)],
      ['tair', ['SCRIPT', 'FLUSH'], '+OK\r\n'],
    ];
    for (const [profile, args, reply] of examples) {
      it(`${profile}: ${args.join(' ')}`, async () => {
        assert.equal(await (profile === 'tair' ? tair : legacy).text(...args), reply);
      });
    }
  });

  /** Each text, in the order of LUA.md, with a script that earns it under the profile. */
  const refused: [profile: 'tair' | 'tair_legacy', script: string, text: string][] = [
    ['tair', "return redis.call('GET', tostring(redis.pcall('GET', KEYS[1])))", NESTED],
    ['tair', "return redis.pcall('GE' .. 'T', KEYS[1])", LITERAL],
    ['tair', 'return redis.call()', LITERAL],
    ['tair', 'local rcall = redis.call', PARENTHESIS],
    ['tair', "return redis.call'GET'", PARENTHESIS],
    ['tair', "return redis.call('GET', KEYS[1]", INCOMPLETE],
    ['tair', "return redis.call('Gte', KEYS[1])", UNKNOWN('Gte')],
    ['tair', "return redis.call('xxx')", UNKNOWN('xxx')],
    ['tair', "return redis.call('SHUTDOWN')", UNKNOWN('SHUTDOWN')],
    ['tair', 'return unpack(KEYS)', UNPACK],
    ['tair', "return redis.call('MGET', unpack(KEYS))", UNPACK],
    ['tair_legacy', "return redis.call('GET', KEYS[1] .. 'x')", KEYS_ARRAY],
    ['tair_legacy', "return redis.call('PUBLISH', 'news', 'x')", KEYS_ARRAY],
    ['tair_legacy', "return redis.call('ZUNIONSTORE', 'x', 1, KEYS[1])", Z_KEYS],
    ['tair_legacy', "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS, KEYS[2])", Z_LITERAL],
    ['tair_legacy', "return redis.call('ZINTERSTORE', KEYS[1], 'x', KEYS[2])", Z_INTEGER],
    ['tair_legacy', "return redis.call('ZINTERSTORE', KEYS[1], 0, KEYS[2])", Z_NONE],
    ['tair_legacy', "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2])", Z_FEW],
    ['tair_legacy', "return redis.call('ZUNIONSTORE', KEYS[1], 1, ARGV[1])", Z_SOURCE],
    ['tair_legacy', "return redis.call('XREAD', 'STREAMS', KEYS[1])", X_SYNTAX],
    ['tair_legacy', "return redis.call('XREAD', 'COUNT', 1, KEYS[1], '0')", X_STREAMS],
    ['tair_legacy', "return redis.call('XREAD', 'STREAMS', ARGV[1], '0')", X_KEYS],
    ['tair_legacy', "return redis.call('SORT', KEYS[1], 'LIMIT', 1)", S_SYNTAX],
    ['tair_legacy', "return redis.call('SORT', KEYS[1], 'STORE', 'x')", S_KEYS],
  ];
  for (const [profile, script, text] of refused) {
    it(`refuses under ${profile}, by whichever command it comes: ${script}`, async () => {
      const stand = profile === 'tair' ? tair : legacy;
      const before = stand.proxy.checkCounters.refused;
      const calls: Argument[][] = [
        ['SCRIPT', 'LOAD', script],
        ['EVAL', script, 1, 'foo'],
        ['EVALSHA', shaOf(script), 1, 'foo'],
      ];
      // That it writes would answer before the rules of tair_legacy.
      if (profile === 'tair') calls.push(['EVAL_RO', script, 1, 'foo'], ['EVALSHA_RO', shaOf(script), 1, 'foo']);
      const replies = await stand.client.pipeline(calls);
      assert.deepEqual(
        replies.map(String),
        calls.map(() => error(text)),
      );
      assert.equal(await holderCount(script), 0);
      assert.equal(stand.proxy.checkCounters.refused - before, calls.length);
    });
  }

  it('judges in the order of SPEC 3', async () => {
    const bad = 'return redis.call(ARGV[1], unpack(KEYS))';
    const order: [args: Argument[], reply: string][] = [
      [['EVAL', bad], "ERR wrong number of arguments for 'eval' command"],
      [['EVAL', bad, 'x', 'foo', 'bar'], 'ERR value is not an integer or out of range'],
      [['EVAL', bad, 0, 'foo', 'bar'], KEYLESS],
      [['EVAL', bad, 3, 'foo', 'bar'], "ERR Number of keys can't be greater than number of args"],
      [['EVAL', bad, 2, 'foo', 'bar'], LITERAL],
      [['EVAL', 'return unpack(KEYS)', 2, 'foo', 'bar'], UNPACK],
      [['EVAL', 'return 1', 2, 'foo', 'bar'], SAME_SLOT],
    ];
    const replies = await tair.client.pipeline(order.map(([args]) => args));
    assert.deepEqual(
      replies.map(String),
      order.map(([, text]) => error(text)),
    );
  });

  it('refuses writes in EVAL_RO and EVALSHA_RO, and lets EVAL and EVALSHA of the same script run (R12b)', async () => {
    const body = newBody("redis.call('GET', KEYS[1]) return redis.call('SET', KEYS[1], 'x')");
    assert.equal(await tair.text('EVALSHA_RO', shaOf(body), 1, 'foo'), NOSCRIPT);
    assert.equal(await tair.text('EVAL_RO', body, 1, 'foo'), error(READ_ONLY));
    assert.equal(await tair.text('EVAL', body, 1, 'foo'), '+OK\r\n');
    assert.equal(await tair.text('EVALSHA_RO', shaOf(body), 1, 'foo'), error(READ_ONLY));
    assert.equal(await tair.text('EVALSHA', shaOf(body), 1, 'foo'), '+OK\r\n');
    assert.equal(await tair.text('EVAL_RO', "return redis.call('GET', KEYS[1])", 1, 'foo'), bulk('x'));
  });

  it('refuses the EVALSHA of a script that was refused, although the nodes hold it', async () => {
    const body = newBody('return unpack(KEYS)');
    await loadOnAllNodes(body);
    assert.equal(await tair.text('EVALSHA', shaOf(body), 1, 'foo'), bulk('foo'), 'evalgate has not seen it yet');
    assert.equal(await tair.text('EVAL', body, 1, 'foo'), error(UNPACK));
    assert.equal(await tair.text('EVALSHA', shaOf(body), 1, 'foo'), error(UNPACK));
    assert.equal(await tair.text('EVALSHA', shaOf(body).toUpperCase(), 1, 'foo'), error(UNPACK));
    assert.equal(await legacy.text('EVALSHA', shaOf(body), 1, 'foo'), bulk('foo'), 'nor has another evalgate');
  });

  it('forwards the EVALSHA of a sha that nobody knows', async () => {
    assert.equal(await tair.text('EVALSHA', '0'.repeat(40), 1, 'foo'), NOSCRIPT);
    assert.equal(await tair.text('EVALSHA', 'no sha', 1, 'foo'), NOSCRIPT);
  });

  for (const stand of ['tair', 'safe'] as const) {
    it(`gives the node's own error for what does not compile (${stand})`, async () => {
      const { proxy, client } = { tair, safe }[stand];
      const direct = await RawClient.connect(cluster.masters.at(-1)?.port ?? 0);
      const before = proxy.checkCounters.notAnalysed;
      // "foo" is on the last master.
      for (const body of ['return return', "return redis.call('GET', KEYS[1]))", 'x = [[', '#!nope\nreturn 1']) {
        const args = ['EVAL', body, 1, 'foo'] as const;
        const wanted = await direct.text(...args);
        assert.match(wanted, /^-ERR /);
        assert.equal(await client.text(...args), wanted);
      }
      assert.equal(proxy.checkCounters.notAnalysed - before, 3, 'all but the shebang');
      direct.close();
    });
  }

  describe('switches', () => {
    it('script_check_enable 0 forwards everything', async () => {
      const off = await standWith({ script_check_enable: 0 });
      const body = newBody('return unpack(KEYS)');
      assert.equal(await off.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      assert.equal(await off.text('EVALSHA', shaOf(body), 1, 'foo'), bulk('foo'));
      assert.equal(
        await off.text('EVAL', "return redis.call('ECHO', redis.call('GET', KEYS[1]))", 1, 'foo'),
        bulk('value_test'),
      );
      const write = await off.text('EVAL_RO', "return redis.call('SET', KEYS[1], 'x')", 1, 'foo');
      assert.match(
        write,
        /^-ERR Write commands are not allowed from read-only scripts\. script: (?:[0-9a-f]{40}|on @)/,
      );
      assert.deepEqual({ ...off.proxy.checkCounters }, { ...off.proxy.checkCounters, refused: 0, observed: 0 });
    });

    it('script_check_enable observe forwards, counts and logs', async () => {
      const observe = await standWith({ script_check_enable: 'observe' });
      const body = newBody('return unpack(KEYS)');
      assert.equal(await observe.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      assert.equal(await observe.text('EVALSHA', shaOf(body), 1, 'foo'), bulk('foo'));
      assert.equal(await observe.text('EVAL', body, 1, 'foo'), bulk('foo'));
      const { observed, refused } = observe.proxy.checkCounters;
      assert.deepEqual({ observed, refused }, { observed: 3, refused: 0 });
      const [line, ...more] = observe.linesOf(shaOf(body));
      assert.deepEqual([line?.['msg'], line?.['rule'], more], ['script would be refused', 'unpack', []]);
    });

    it('script_check_exempt leaves these scripts alone, all others not', async () => {
      const body = newBody('return unpack(KEYS)');
      const exempting = await standWith({ script_check_exempt: [shaOf(body).toUpperCase()] });
      assert.equal(await exempting.text('EVAL', body, 1, 'foo'), bulk('foo'));
      assert.equal(await exempting.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      assert.equal(await exempting.text('EVALSHA', shaOf(body), 1, 'foo'), bulk('foo'));
      assert.equal(await exempting.text('EVAL', newBody('return unpack(KEYS)'), 1, 'foo'), error(UNPACK));
    });

    it('script_check_unpack args allows unpack behind the name of the command only', async () => {
      const lenient = await standWith({ script_check_unpack: 'args' });
      assert.equal(
        await lenient.text('EVAL', "return redis.call('MGET', unpack(KEYS))", 1, 'foo'),
        `*1\r\n${bulk('value_test')}`,
      );
      assert.equal(await lenient.text('EVAL', 'return unpack(KEYS)', 1, 'foo'), error(UNPACK));
      assert.equal(await lenient.text('EVAL', 'return redis.call(unpack(ARGV))', 1, 'foo', 'PING'), error(LITERAL));
    });

    it('script_check_alias resolve applies the rules behind the alias', async () => {
      const resolving = await standWith({ script_check_alias: 'resolve' });
      assert.equal(
        await resolving.text('EVAL', "local c = redis.call return c('GET', KEYS[1])", 1, 'foo'),
        bulk('value_test'),
      );
      assert.equal(
        await resolving.text('EVAL', "local c = redis.call return c('NOPE')", 1, 'foo'),
        error(UNKNOWN('NOPE')),
      );
      assert.equal(
        await resolving.text('EVAL', 'local c = redis.call return c(ARGV[1])', 1, 'foo', 'PING'),
        error(LITERAL),
      );
    });

    it('script_check_max_bytes: a larger body is forwarded unread, counted, and logged once', async () => {
      const small = await standWith({ script_check_max_bytes: 30 });
      const body = `return unpack(KEYS) --${'x'.repeat(30)}`;
      assert.equal(await small.text('EVAL', 'return unpack(KEYS)', 1, 'foo'), error(UNPACK));
      for (let i = 0; i < 3; i++) assert.equal(await small.text('EVAL', body, 1, 'foo'), bulk('foo'));
      assert.equal(small.proxy.checkCounters.notAnalysed, 1);
      assert.deepEqual(
        small.linesOf(shaOf(body)).map(({ level, reason }) => [level, reason]),
        [['info', 'it is larger than 30 bytes']],
      );
    });
  });

  describe('profile safe', () => {
    const TAGLESS = `${BAD}line 2 builds a key from KEYS[1], which needs a hash tag {…} to stay in its slot`;

    it('judges each call: the same script is refused without a hash tag and runs with one', async () => {
      const body = newBody("local c = redis.call\nreturn c('SET', KEYS[1] .. ':x', ARGV[1])");
      const before = { ...safe.proxy.checkCounters };
      assert.equal(await safe.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      assert.equal(await safe.text('EVALSHA', shaOf(body), 1, 'foo', '1'), error(TAGLESS));
      assert.equal(await safe.text('EVAL', body, 1, 'foo', '1'), error(TAGLESS));
      assert.equal(await safe.text('EVALSHA', shaOf(body), 1, '{foo}', '1'), '+OK\r\n');
      assert.equal(await safe.text('EVAL', body, 1, '{foo}', '1'), '+OK\r\n');
      assert.equal(await safe.text('GET', '{foo}:x'), bulk('1'));
      const { refused, callsProven } = safe.proxy.checkCounters;
      assert.deepEqual([refused - before.refused, callsProven - before.callsProven], [2, 2]);
      assert.deepEqual(
        safe.linesOf(shaOf(body)).map(({ rule, line, column }) => [rule, line, column]),
        [['key-slot', 2, 8]],
      );
    });

    it('refuses a literal key of another slot, and takes one of the same', async () => {
      assert.equal(await safe.text('EVAL', "return redis.call('GET', 'bar')", 1, 'foo'), error(KEYS_ARRAY));
      assert.equal(await safe.text('EVAL', "return redis.call('GET', '{foo}')", 1, 'foo'), NIL);
    });

    it('judges the slots of the keys before what the script does with them', async () => {
      assert.equal(await safe.text('EVAL', "return redis.call('GET', 'bar')", 2, 'foo', 'bar'), error(SAME_SLOT));
    });

    it('allows what the other profiles refuse by the text alone, but no unknown command', async () => {
      assert.equal(
        await safe.text('EVAL', 'return redis.call(ARGV[1], unpack(KEYS))', 1, 'foo', 'GET'),
        bulk('value_test'),
      );
      const nested = "return redis.call('ECHO', redis.call('GET', KEYS[1]))";
      assert.equal(await safe.text('EVAL', nested, 1, 'foo'), bulk('value_test'));
      assert.equal(await safe.text('EVAL', "return redis.call('NOPE')", 1, 'foo'), error(UNKNOWN('NOPE')));
      assert.equal(await safe.text('EVAL_RO', "return redis.call('DEL', KEYS[1])", 1, 'foo'), error(READ_ONLY));
    });

    it('counts proven and unproven calls, those of scripts without conditions too', async () => {
      const before = { ...safe.proxy.checkCounters };
      await safe.text('EVAL', "return redis.call('GET', KEYS[1])", 1, 'foo');
      await safe.text('EVAL', "return redis.call('GET', cjson.decode(ARGV[1])[1])", 1, 'foo', '["foo"]');
      const { callsProven, callsUnproven } = safe.proxy.checkCounters;
      assert.deepEqual([callsProven - before.callsProven, callsUnproven - before.callsUnproven], [1, 1]);
    });
  });

  it('tells in the log where and why, once a sha and minute, and counts every time', async () => {
    const long = `${'é'.repeat(100)}${'x'.repeat(100)}`;
    const body = `local a = 1\n  redis.call('SET', KEYS[1], redis.call('GET', '${long}'))`;
    const before = tair.proxy.checkCounters.refused;
    await tair.client.pipeline(Array.from({ length: 5 }, () => ['EVAL', body, 1, 'foo']));
    assert.equal(tair.proxy.checkCounters.refused - before, 5);
    const [line, ...more] = tair.linesOf(shaOf(body));
    assert.deepEqual(more, []);
    const { level, msg, rule, line: number, column, source, advice, error: text } = line ?? {};
    assert.deepEqual(
      { level, msg, rule, number, column, advice, text },
      {
        level: 'warn',
        msg: 'script refused',
        rule: 'nested',
        number: 2,
        column: 30,
        advice: 'put the result of the inner call into a local first',
        text: NESTED,
      },
    );
    const cut = `  redis.call('SET', KEYS[1], redis.call('GET', '${long}'))`.slice(0, 120);
    assert.equal(source, cut);
  });
});
