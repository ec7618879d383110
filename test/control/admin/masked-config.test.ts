import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { z } from 'zod';
import { configFrom } from '../../../src/control/config.ts';
import { MASK, masked as maskedConfig } from '../../../src/control/config-diff.ts';
import { factsOf } from '../../../src/control/config-keys.ts';
import { SECTIONS } from '../../../src/control/config-schema.ts';

const NODES = ['127.0.0.1:7000'];

describe('maskedConfig', () => {
  it('shows every key but the secrets', () => {
    const config = configFrom({
      cluster: { nodes: NODES, username: 'u', password: 'hidden' },
      admin: { token: 'hidden' },
      accounts: [{ username: 'a', password: 'hidden' }],
    });
    const masked = maskedConfig(config) as Record<string, Record<string, unknown>>;
    assert.equal(JSON.stringify(masked).includes('hidden'), false);
    assert.equal(masked['cluster']?.['password'], MASK);
    assert.equal(masked['admin']?.['token'], MASK);
    assert.deepEqual({ ...masked['cluster'], password: 'hidden' }, config.cluster);
    assert.deepEqual(masked['limits'], config.limits);
  });

  it('leaves out secrets that are not set', () => {
    const masked = maskedConfig(configFrom({ cluster: { nodes: NODES } }));
    assert.equal(JSON.stringify(masked).includes(MASK), false);
  });

  it('knows every key that sounds like a secret', () => {
    for (const [section, { shape }] of Object.entries(SECTIONS)) {
      for (const [key, schema] of Object.entries<z.ZodType>(shape)) {
        if (/password|token|secret/.test(key)) assert.ok(factsOf(schema)?.isSecret, `${section}.${key}`);
      }
    }
  });
});
