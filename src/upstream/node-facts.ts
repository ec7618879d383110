/**
 * What was learned about one node, shared by all connections to it.
 */
import { LatencyHistogram } from '../base/latency.ts';
import type { Script } from '../script/script.ts';
import type { Connection } from './connection.ts';
import { RecentScripts } from './marks.ts';

export class NodeFacts {
  /** The node's own reply for a sha that nobody has, CRLF included; undefined until it has said it. */
  noscript: Buffer | undefined;
  /** Whether the server evicts scripts of EVAL origin (Redis from 7.4, Valkey from 8): assumed until it is known. */
  evictsScripts = true;
  /** A SCRIPT FLUSH could not reach the node: it is flushed before anything else is sent there. */
  owesFlush = false;
  /** A replica that said of itself that it follows its master, and did not fail since. */
  isInSync = false;
  readonly recent = new RecentScripts();
  /** Of everything that clients asked of this node. */
  readonly latency = new LatencyHistogram();
  /** All connections to it, whoever's: scripts are the node's, not an identity's. */
  readonly connections = new Set<Connection>();

  get hasConnection(): boolean {
    for (const { state } of this.connections) if (state === 'ready') return true;
    return false;
  }

  /** The node no longer has any script: nothing is believed. */
  dropAllMarks(): void {
    for (const connection of this.connections) connection.marks.clear();
    this.recent.clear();
  }

  dropMark(script: Script): void {
    for (const connection of this.connections) connection.marks.delete(script);
    this.recent.delete(script);
  }

  learnServer(reply: Buffer): undefined {
    const text = reply.toString('latin1');
    const valkey = /^valkey_version:(\d+)/m.exec(text);
    const redis = /^redis_version:(\d+)\.(\d+)/m.exec(text);
    if (valkey !== null) this.evictsScripts = Number(valkey[1]) >= 8;
    else if (redis !== null) this.evictsScripts = Number(redis[1]) > 7 || (redis[1] === '7' && Number(redis[2]) >= 4);
  }

  learnNoscript(reply: Buffer): undefined {
    if (reply.toString('latin1', 0, 10) === '-NOSCRIPT ') this.noscript = Buffer.from(reply);
  }

  learnFlush(reply: Buffer): undefined {
    if (reply[0] !== 0x2d) this.owesFlush = false;
  }
}
