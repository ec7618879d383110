import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ResponsePolicy } from '../../src/command/spec.ts';
import { isErrorReply, merge, mergeSplit } from '../../src/plan/merge.ts';

/** Replies are written without their final CRLF, lines apart by a blank for arrays. */
function frame(text: string): Buffer {
  return Buffer.from(`${text.replaceAll(' ', '\r\n')}\r\n`);
}

function merged(policy: ResponsePolicy, replies: readonly string[]): string | undefined {
  return merge(policy, replies.map(frame))?.toString().replaceAll('\r\n', ' ').trimEnd();
}

const TABLE: [policy: ResponsePolicy, replies: string[], merged: string | undefined][] = [
  ['all_succeeded', ['+OK', '+OK'], '+OK'],
  ['all_succeeded', ['+A', '+B'], '+A'],
  ['all_succeeded', ['+OK', '-ERR_1', '-ERR_2'], '-ERR_1'],
  ['one_succeeded', ['-ERR_1', '+OK', '-ERR_2'], '+OK'],
  ['one_succeeded', ['-ERR_1', '-ERR_2'], '-ERR_1'],
  ['one_succeeded', ['+A', '+B'], '+A'],
  ['agg_sum', [':1', ':2', ':-5'], ':-2'],
  ['agg_sum', [':9007199254740993', ':9223372036854775807'], ':9232379236109516800'],
  ['agg_sum', [':7'], ':7'],
  ['agg_min', [':3', ':-2', ':5'], ':-2'],
  ['agg_max', [':3', ':-2', ':5'], ':5'],
  ['agg_logical_and', [':1', ':1'], ':1'],
  ['agg_logical_and', [':1', ':0'], ':0'],
  ['agg_logical_and', [':0', ':7'], ':0'],
  ['agg_logical_and', [':7', ':7'], ':1'],
  ['agg_logical_or', [':0', ':0'], ':0'],
  ['agg_logical_or', [':0', ':2'], ':1'],
  ['agg_logical_or', [':2', ':0'], ':1'],
  ['agg_logical_and', ['*2 :1 :0', '*2 :1 :1'], '*2 :1 :0'],
  ['agg_min', ['*2 :1 :9', '*2 :5 :2'], '*2 :1 :2'],
  ['agg_sum', ['*0', '*0'], '*0'],
  ['agg_sum', [':1', '-ERR_x'], '-ERR_x'],
  ['agg_sum', [':1', '+OK'], undefined],
  ['agg_sum', ['+OK', ':1'], undefined],
  ['agg_sum', ['*2 :1 :2', '*1 :1'], undefined],
  ['agg_sum', ['*1 +x', '*1 :1'], undefined],
  ['agg_sum', ['*1 :1', '$1 x'], undefined],
  ['agg_sum', [':x', ':1'], undefined],
  ['agg_sum', [':1', ':'], undefined],
  ['agg_sum', [':1.5', ':1'], undefined],
  ['agg_sum', [':+1', ':1'], ':2'],
  ['none', ['*1 $1 a', '*0', '*2 $1 b $1 c'], '*3 $1 a $1 b $1 c'],
  ['none', ['*-1', '*1 :1'], '*1 :1'],
  ['none', ['*1 *2 :1 :2', '*1 $-1'], '*2 *2 :1 :2 $-1'],
  ['none', ['+A', '*1 :1'], '+A'],
  ['none', ['$1 a', '$1 b'], '$1 a'],
  ['none', ['*1 :1', '-ERR_x'], '-ERR_x'],
  ['special', ['*1 :1', '*1 :2'], '*2 :1 :2'],
  ['special', ['+A', '+B'], '+A'],
  // RESP3
  ['none', ['*1 $1 a', '_', '*1 _'], '*2 $1 a _'],
  ['none', ['_', '_'], '_'],
  ['none', ['$-1', '$-1'], '$-1'],
  ['none', ['~1 $1 a', '~2 :1 #t'], '~3 $1 a :1 #t'],
  ['none', ['%1 $1 a :1', '%2 $1 b *1 :2 $1 c _'], '%3 $1 a :1 $1 b *1 :2 $1 c _'],
  ['none', ['|1 +ttl :3 *1 :1', '*1 |1 +ttl :3 :2'], '*2 :1 |1 +ttl :3 :2'],
  ['none', ['=5 txt:a', '=5 txt:b'], '=5 txt:a'],
  ['none', ['*1 :1', '!5 ERR_x'], '!5 ERR_x'],
  ['agg_sum', ['|1 +a :9 :1', ':2'], ':3'],
  ['agg_sum', [':1', '_'], undefined],
  ['agg_sum', [':1', '(9223372036854775808'], '(9223372036854775809'],
  ['agg_sum', [',1.5', ',2'], ',3.5'],
  ['agg_sum', [',1.5', ':2'], ',3.5'],
  ['agg_sum', [',inf', ',1'], ',inf'],
  ['agg_sum', [',x', ',1'], undefined],
  ['agg_min', [',-inf', ',1e3'], ',-inf'],
  ['agg_max', [',-1', ',1e3'], ',1000'],
  ['agg_logical_and', ['#t', '#t'], '#t'],
  ['agg_logical_and', ['#t', '#f'], '#f'],
  ['agg_logical_or', ['#f', '#t'], '#t'],
  ['agg_logical_or', ['#f', ':0'], ':0'],
  ['agg_logical_or', [',0', ',2.5'], ':1'],
  ['agg_logical_and', [',0', ',2.5'], ':0'],
  ['agg_logical_and', ['(5', '(6'], ':1'],
  ['agg_logical_and', ['*2 #t :1', '*2 #t :0'], '*2 #t :0'],
];

describe('merge', () => {
  for (const [policy, replies, expected] of TABLE) {
    it(`merge by ${policy} of ${replies.join(' | ')} is ${expected ?? 'a misfit'}`, () => {
      assert.equal(merged(policy, replies), expected);
    });
  }

  it('keeps bytes as they are', () => {
    const bulk = Buffer.from('$4\r\n\r\n\xff\0\r\n', 'latin1');
    const array = Buffer.concat([Buffer.from('*1\r\n'), bulk]);
    assert.deepEqual(merge('none', [array, array]), Buffer.concat([Buffer.from('*2\r\n'), bulk, bulk]));
  });
});

describe('mergeSplit', () => {
  const parts: [policy: ResponsePolicy, parts: [reply: string, keys: number[]][], merged: string | undefined][] = [
    [
      'none',
      [
        ['*2 $1 a $1 c', [0, 2]],
        ['*1 $1 b', [1]],
      ],
      '*3 $1 a $1 b $1 c',
    ],
    [
      'none',
      [
        ['*2 $1 d $-1', [3, 0]],
        ['*2 $1 b $1 c', [1, 2]],
      ],
      '*4 $-1 $1 b $1 c $1 d',
    ],
    [
      'none',
      [
        ['*1 *1 :1', [1]],
        ['*1 :0', [0]],
      ],
      '*2 :0 *1 :1',
    ],
    [
      'none',
      [
        ['*1 $1 a', [0]],
        ['-ERR_1', [1]],
        ['-ERR_2', [2]],
      ],
      '-ERR_1',
    ],
    [
      'none',
      [
        ['*1 $1 a', [0, 2]],
        ['*1 $1 b', [1]],
      ],
      undefined,
    ],
    [
      'none',
      [
        ['*2 $1 a $1 x', [0]],
        ['*1 $1 b', [1]],
      ],
      undefined,
    ],
    [
      'none',
      [
        ['+OK', [0]],
        ['*1 $1 b', [1]],
      ],
      undefined,
    ],
    [
      'agg_sum',
      [
        [':2', [0, 2]],
        [':1', [1]],
      ],
      ':3',
    ],
    [
      'agg_sum',
      [
        [':2', [0, 2]],
        ['+x', [1]],
      ],
      undefined,
    ],
    [
      'agg_sum',
      [
        [':2', [0, 2]],
        ['-ERR_x', [1]],
      ],
      '-ERR_x',
    ],
    [
      'all_succeeded',
      [
        ['+OK', [0]],
        ['+OK', [1]],
      ],
      '+OK',
    ],
    [
      'all_succeeded',
      [
        ['-ERR_a', [0]],
        ['-ERR_b', [1]],
      ],
      '-ERR_a',
    ],
  ];
  for (const [policy, given, expected] of parts) {
    it(`mergeSplit by ${policy} of ${given.map(([reply, keys]) => `${reply} (${keys})`).join(' | ')}`, () => {
      const reply = mergeSplit(
        policy,
        given.map(([text, keys]) => ({ reply: frame(text), keys })),
      );
      assert.equal(reply?.toString().replaceAll('\r\n', ' ').trimEnd(), expected);
    });
  }
});

describe('isErrorReply', () => {
  it('goes by the first byte', () => {
    assert.equal(isErrorReply(frame('-ERR')), true);
    assert.equal(isErrorReply(frame('+-ERR')), false);
    assert.equal(isErrorReply(Buffer.alloc(0)), false);
  });
});
