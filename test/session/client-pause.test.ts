/**
 * What a pause holds, and when it ends.
 */
import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import { ClientPause } from '../../src/session/client-pause.ts';

const [GET, SET, EVAL, EVAL_RO, PUBLISH, PFCOUNT, EXEC, CLIENT] = [
  ...['get', 'set', 'eval', 'eval_ro', 'publish', 'pfcount', 'exec', 'client|unpause'],
].map((name) => SHIPPED_TABLE.findByName(name));

describe('ClientPause', () => {
  it('holds nothing before it begins, nor behind its end', () => {
    let endings = 0;
    const pause = new ClientPause(() => endings++);
    assert.equal(pause.holds(SET), false);
    pause.end();
    assert.equal(endings, 0);
    pause.begin('all', 60_000);
    assert.equal(pause.holds(SET), true);
    pause.end();
    assert.equal(pause.holds(SET), false);
    assert.equal(endings, 1);
  });

  it('of writes holds what may write, of all holds everything, and CLIENT passes', () => {
    const pause = new ClientPause(() => {});
    pause.begin('write', 60_000);
    const held = () => [GET, SET, EVAL, EVAL_RO, PUBLISH, PFCOUNT, EXEC, CLIENT, undefined].map((c) => pause.holds(c));
    assert.deepEqual(held(), [false, true, true, false, true, true, true, false, false]);
    pause.begin('all', 1);
    assert.deepEqual(held(), [true, true, true, true, true, true, true, false, true]);
    pause.begin('write', 1);
    assert.equal(pause.holds(GET), true);
    pause.end();
  });

  it('of 0 ms is none, and ends none', () => {
    const pause = new ClientPause(() => {});
    pause.begin('all', 0);
    assert.equal(pause.holds(SET), false);
    pause.begin('all', 60_000);
    pause.begin('all', 0);
    assert.equal(pause.holds(SET), true);
    pause.end();
  });

  it('ends at the later of two deadlines, and lasts longer than one timer can', () => {
    let endings = 0;
    let nowMs = 0;
    mock.method(performance, 'now', () => nowMs);
    mock.timers.enable({ apis: ['setTimeout'] });
    const advance = (ms: number) => {
      nowMs += ms;
      mock.timers.tick(ms);
    };
    try {
      const pause = new ClientPause(() => endings++);
      pause.begin('all', 100);
      pause.begin('all', 50);
      advance(60);
      assert.equal(endings, 0);
      advance(40);
      assert.equal(endings, 1);
      pause.begin('all', 2 ** 33);
      advance(2 ** 31);
      assert.equal(pause.holds(GET), true);
      for (let i = 0; i < 4; i++) advance(2 ** 31);
      assert.equal(pause.holds(GET), false);
      assert.equal(endings, 2);
    } finally {
      mock.timers.reset();
      mock.restoreAll();
    }
  });
});
