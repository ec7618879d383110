/**
 * How far the replicas of a master have followed it, by its own account: for WAIT where no connection can be asked.
 *
 * A master hears of its replicas once a second, or when it asks them, which it does when somebody waits. So each look
 * waits a moment for more replicas than anybody has.
 */
import { SingleFlight } from '../base/single-flight.ts';
import type { Node } from '../cluster/topology.ts';
import type { Replication, ReplicationView } from '../session/runtime.ts';
import type { ControlClients } from './control-clients.ts';

const MORE_THAN_ANY = '1000000';
const MOMENT_MS = '1';

/** A master is asked once for all who want to know at a time, however many clients wait. */
interface Looking {
  readonly flight: SingleFlight;
  seen: Replication;
}

const NOTHING: Replication = { offset: Number.POSITIVE_INFINITY, replicas: [] };

export class ReplicaOffsets implements ReplicationView {
  readonly #clients: Pick<ControlClients, 'call'>;
  readonly #byAddress = new Map<string, Looking>();

  constructor(clients: Pick<ControlClients, 'call'>) {
    this.#clients = clients;
  }

  async look(node: Node): Promise<Replication> {
    const looking = this.#byAddress.get(node.address) ?? this.#begin(node);
    try {
      await looking.flight.run();
      return looking.seen;
    } finally {
      if (looking.flight.isIdle && this.#byAddress.get(node.address) === looking) this.#byAddress.delete(node.address);
    }
  }

  #begin(node: Node): Looking {
    const looking: Looking = {
      flight: new SingleFlight(async () => {
        looking.seen = await this.#ask(node);
      }),
      seen: NOTHING,
    };
    this.#byAddress.set(node.address, looking);
    return looking;
  }

  async #ask(node: Node): Promise<Replication> {
    const [info] = await Promise.all([
      this.#clients.call(node, 'INFO', 'replication'),
      // Behind the question: it has the replicas asked for the next one. Who may not ask hears of them once a second.
      this.#clients.call(node, 'WAIT', MORE_THAN_ANY, MOMENT_MS).catch(() => {}),
    ]);
    return replicationIn(String(info));
  }
}

/** Reads `INFO replication` of a master; a node that is none has an offset that nobody reaches. */
export function replicationIn(info: string): Replication {
  const isMaster = /^role:master\b/m.test(info);
  const offset = /^master_repl_offset:(\d+)/m.exec(info)?.[1];
  const replicas = [...info.matchAll(/^slave\d+:.*\bstate=online,offset=(\d+)/gm)].map(([, reached]) =>
    Number(reached),
  );
  return { offset: isMaster && offset !== undefined ? Number(offset) : Number.POSITIVE_INFINITY, replicas };
}
