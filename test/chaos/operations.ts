/**
 * What the clients of the chaos test send: requests whose replies say by themselves to whom they belong and what they
 * did. A script gives back the identity that came with the request, so that a reply that went astray is noticed, and the
 * new value of each counter that it raised, so that one that was raised twice is.
 */
import { shaOf } from '../support/stand.ts';

/** A script that clients know: they call it by its sha, and bring it again when they are told NOSCRIPT. */
export interface ChaosScript {
  readonly body: string;
  readonly sha: string;
  /** How it became known: by SCRIPT LOAD or by EVAL. */
  readonly origin: 'load' | 'eval';
}

export interface Operation {
  readonly args: readonly string[];
  /** Counters that it raises by one. */
  readonly counts: readonly string[];
  /** The script that it calls by its sha. */
  readonly script?: ChaosScript;
  /** The script that is known when the reply is good. */
  readonly brings?: ChaosScript;
  /** Values of `counts` as a good reply tells them; undefined when this is no reply to this request. */
  readonly read: (reply: string) => readonly number[] | undefined;
}

const COUNT = "return {ARGV[1], redis.call('INCR', KEYS[1])}";
const COUNT_TWO = "return {ARGV[1], redis.call('INCR', KEYS[1]), redis.call('INCR', KEYS[2])}";

function scriptOf(body: string, origin: ChaosScript['origin']): ChaosScript {
  return { body, sha: shaOf(body), origin };
}

/** Called by EVALSHA only, by every client. */
export const LOADED = [
  scriptOf(`${COUNT} -- loaded 1`, 'load'),
  scriptOf(`${COUNT} -- loaded 2`, 'load'),
  scriptOf(`${COUNT} -- loaded 3`, 'load'),
] as const;
export const LOADED_TWO: ChaosScript = scriptOf(`${COUNT_TWO} -- loaded`, 'load');
/** Came by EVAL, called by EVALSHA. */
export const EVALED: ChaosScript = scriptOf(`${COUNT} -- evaled`, 'eval');
/** Sent by EVAL each time. */
const SENT: ChaosScript = scriptOf(`${COUNT} -- sent`, 'eval');
export const KNOWN: readonly ChaosScript[] = [...LOADED, LOADED_TWO, EVALED];

/** A script of its own for each name. */
export function newScript(name: string): ChaosScript {
  return scriptOf(`${COUNT} -- ${name}`, 'load');
}

export function evalsha(script: ChaosScript, keys: readonly string[], id: string): Operation {
  const args = ['EVALSHA', script.sha, String(keys.length), ...keys, id];
  return { args, counts: keys, script, read: (reply) => countsFor(id, reply) };
}

/** EVAL with the body; the script is known after it. */
export function evalBody(key: string, id: string, script = SENT): Operation {
  const args = ['EVAL', script.body, '1', key, id];
  return { args, counts: [key], brings: script, read: (reply) => countsFor(id, reply) };
}

export function incr(key: string): Operation {
  return { args: ['INCR', key], counts: [key], read: (reply) => numbersIn(reply, /^:(\d+)\r\n$/) };
}

export function get(key: string): Operation {
  return { args: ['GET', key], counts: [], read: (reply) => (/^\$\d+\r\n\d+\r\n$/.test(reply) ? [] : undefined) };
}

export function mget(keys: readonly string[]): Operation {
  const wanted = new RegExp(`^\\*${keys.length}\\r\\n(\\$\\d+\\r\\n\\d+\\r\\n){${keys.length}}$`);
  return { args: ['MGET', ...keys], counts: [], read: (reply) => (wanted.test(reply) ? [] : undefined) };
}

export function scriptLoad(script: ChaosScript): Operation {
  const wanted = `$40\r\n${script.sha}\r\n`;
  return {
    args: ['SCRIPT', 'LOAD', script.body],
    counts: [],
    brings: script,
    read: (reply) => (reply === wanted ? [] : undefined),
  };
}

/** Whether they are there: the client looks at the answer. */
export function scriptExists(scripts: readonly ChaosScript[]): Operation {
  const wanted = new RegExp(`^\\*${scripts.length}\\r\\n(:[01]\\r\\n){${scripts.length}}$`);
  return {
    args: ['SCRIPT', 'EXISTS', ...scripts.map(({ sha }) => sha)],
    counts: [],
    read: (reply) => (wanted.test(reply) ? [] : undefined),
  };
}

/** The request that brings a script back to whoever lost it. */
export function bringing(script: ChaosScript, key: string, id: string): Operation {
  return script.origin === 'load' ? scriptLoad(script) : evalBody(key, id, script);
}

/** Values in the reply of a script that was called with this identity. */
function countsFor(id: string, reply: string): number[] | undefined {
  const [header, , echoed, ...values] = reply.split('\r\n');
  if (header === undefined || !/^\*[23]$/.test(header) || echoed !== id) return undefined;
  const numbers = values.filter((line) => line !== '').map((line) => (/^:\d+$/.test(line) ? Number(line.slice(1)) : 0));
  return numbers.length === Number(header.slice(1)) - 1 && numbers.every((value) => value > 0) ? numbers : undefined;
}

function numbersIn(reply: string, pattern: RegExp): number[] | undefined {
  const match = pattern.exec(reply);
  return match === null ? undefined : [Number(match[1])];
}
