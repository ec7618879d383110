/**
 * Ports on this machine, for local cluster nodes: a node listens on its port and, for the cluster bus, on port + 10000. Both lie below
 * the range from which Linux takes the ports of outgoing connections, and are drawn at random, as test processes that
 * run side by side draw too. A port can still be taken between this check and the start: LocalCluster then starts over.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export const BUS_OFFSET = 10_000;
const LOWEST = 10_000;
const HIGHEST = 22_700;
const ATTEMPTS = 500;

/** So many different ports that are free on 127.0.0.1 together with their bus ports. */
export async function findFreePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < ATTEMPTS && found.size < count; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    // One node's port must not be another's bus port.
    const isApart = !found.has(port) && !found.has(port - BUS_OFFSET) && !found.has(port + BUS_OFFSET);
    if (isApart && (await isFree(port)) && (await isFree(port + BUS_OFFSET))) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
    probe.close();
    return true;
  } catch {
    return false;
  }
}

/** Whether somebody listens on this port of 127.0.0.1. */
export async function isListening(port: number): Promise<boolean> {
  const probe = connect(port, '127.0.0.1');
  try {
    await once(probe, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    probe.destroy();
  }
}
