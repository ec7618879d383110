/**
 * An evalgate for tests of what its scripting config changes, and the forms in which replies are compared.
 */
import assert from 'node:assert/strict';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import type { ConfigInput } from '../../src/control/config.ts';
import type { LocalCluster } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { shaOf as shaOfBody } from '../../src/script/sha.ts';
import { type Argument, RawClient } from './client.ts';
import { startProxy } from './gateway.ts';

export function error(text: string): string {
  return `-${text}\r\n`;
}

export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

export function shaOf(body: string): string {
  return shaOfBody(Buffer.from(body));
}

export type Scripting = Partial<NonNullable<ConfigInput['scripting']>>;

/** An evalgate with one config, a client of it, and what it logged. */
export class Stand {
  readonly proxy: ProxyServer;
  readonly client: RawClient;
  readonly lines: Record<string, unknown>[];

  private constructor(proxy: ProxyServer, client: RawClient, lines: Record<string, unknown>[]) {
    this.proxy = proxy;
    this.client = client;
    this.lines = lines;
  }

  static async start(cluster: LocalCluster, scripting: Scripting): Promise<Stand> {
    const lines: Record<string, unknown>[] = [];
    const sink = { write: (line: string) => lines.push(JSON.parse(line)) };
    const proxy = await startProxy(cluster, { scripting, log: { level: 'info' } }, sink);
    // With the cluster's own commands comes another judge, which knows nothing of what was refused before.
    assert.notEqual(proxy.planner.table, SHIPPED_TABLE, 'it listens before it knows the commands of the cluster');
    return new Stand(proxy, await RawClient.connect(proxy.address.port), lines);
  }

  text(...args: Argument[]): Promise<string> {
    return this.client.text(...args);
  }

  /** Lines about the script, in order. */
  linesOf(sha: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['sha'] === sha);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.proxy.stop();
  }
}
