/**
 * What the admin port may see: of a process that serves (AdminSource, read by its facts), and of whom it answers for
 * (AdminHost). Everything here is read when somebody asks, nothing is kept.
 */
import type { Logger } from 'pino';
import type { Node } from '../../cluster/topology.ts';
import type { CheckCounters } from '../../plan/script-checks.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { Runtime } from '../../session/runtime.ts';
import type { Config } from '../config.ts';
import type { Planning } from '../planning.ts';
import type { ReloadOutcome } from '../reload.ts';
import type { StoreCounters } from '../stores/store-counters.ts';
import type { FactTeller } from './facts.ts';
import type { RecentEvents } from './recent-events.ts';

export interface AdminSource extends Runtime {
  readonly config: Config;
  readonly log: Logger;
  /** Where clients are served; port 0 before they are. */
  readonly address: ListenAddress;
  readonly isDraining: boolean;
  readonly checkCounters: CheckCounters;
  readonly storeCounters: StoreCounters;
  /** Scripts and libraries brought to nodes that lacked them, and scripts ended for running too long: so far. */
  readonly warming: Runtime['warming'] & { readonly loadedCount: number };
  readonly functions: Runtime['functions'] & { readonly loadedCount: number };
  readonly slowScripts: { readonly killedCount: number };
  readonly events: RecentEvents;
  /** What the Lua checks have found, and would find. */
  readonly planning: Planning;
  /** Settles when the node has answered; rejects with why it did not, within half a second. */
  ping(node: Node): Promise<unknown>;
}

/** Who has an admin port: a proxy, or the process that has workers. */
export interface AdminHost {
  readonly config: Config;
  readonly log: Logger;
  /** The processes that serve now. */
  readonly tellers: readonly FactTeller[];
  /** Reads the config anew. Never rejects. */
  reload(): Promise<ReloadOutcome>;
}
