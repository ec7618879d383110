/**
 * What is measured. All keys share a hash tag, so every way leads to the same node and the node's share of the cost is
 * the same. Scripts are real ones whose result is checked; EVAL bodies are padded with comments, as long as wanted.
 */

import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

export const KEY_COUNT = 10_000;
const TAG = '{bench}';
const VALUE = 'v'.repeat(32);
/** redis-benchmark puts a number of 12 digits here, another one for every request. */
const RANDOM_KEY = `${TAG}:__rand_int__`;
const FIRST_KEY = `${TAG}:${'0'.repeat(12)}`;

const SCRIPT = "local value = redis.call('GET', KEYS[1])\nreturn value .. ARGV[1]\n";
const PADDING = '-- A comment as people write them to explain what a script does and why it does it so.\n';

export interface Workload {
  readonly name: string;
  /** Arguments for redis-benchmark. */
  readonly command: readonly string[];
  /** Makes the command work on this way, and proves it. */
  readonly prepare: (client: Redis) => Promise<void>;
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'GET',
    command: ['GET', RANDOM_KEY],
    prepare: async (client) => assert.equal(await client.call('GET', FIRST_KEY), VALUE),
  },
  {
    name: 'SET',
    command: ['SET', RANDOM_KEY, VALUE],
    prepare: async (client) => assert.equal(await client.call('SET', FIRST_KEY, VALUE), 'OK'),
  },
  {
    name: 'EVALSHA',
    command: ['EVALSHA', shaOf(SCRIPT), '1', RANDOM_KEY, 'x'],
    prepare: async (client) => {
      assert.equal(await client.call('SCRIPT', 'LOAD', SCRIPT), shaOf(SCRIPT));
      assert.equal(await client.call('EVALSHA', shaOf(SCRIPT), '1', FIRST_KEY, 'x'), `${VALUE}x`);
    },
  },
  evalOf('EVAL 0.5 KB', 512),
  evalOf('EVAL 2 KB', 2048),
  evalOf('EVAL 10 KB', 10_240),
];

function evalOf(name: string, bytes: number): Workload {
  const comments = PADDING.repeat(Math.ceil(bytes / PADDING.length)).slice(0, bytes - SCRIPT.length - 1);
  const body = `${comments}\n${SCRIPT}`;
  return {
    name,
    command: ['EVAL', body, '1', RANDOM_KEY, 'x'],
    prepare: async (client) => {
      assert.equal(Buffer.byteLength(body), bytes);
      assert.equal(await client.call('EVAL', body, '1', FIRST_KEY, 'x'), `${VALUE}x`);
    },
  };
}

/** Writes every key that the workloads touch. */
export async function fill(client: Redis): Promise<void> {
  const pipeline = client.pipeline();
  for (let i = 0; i < KEY_COUNT; i++) pipeline.set(`${TAG}:${String(i).padStart(12, '0')}`, VALUE);
  await pipeline.exec();
}

/** A key of the slot that all keys share. */
export const SAMPLE_KEY = FIRST_KEY;

function shaOf(body: string): string {
  return createHash('sha1').update(body).digest('hex');
}
