/**
 * What all sessions share: the topology and planner in force, the way upstream, limits, and the totals over all
 * clients. The control plane makes it and exchanges its parts; sessions read.
 */
import type { MovingSlots } from '../cluster/moving-slots.ts';
import type { Redirect } from '../cluster/redirect.ts';
import type { Node, Topology } from '../cluster/topology.ts';
import type { Planner } from '../plan/planner.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import type { Script } from '../script/script.ts';
import type { Identities } from '../upstream/access.ts';
import type { Turn } from '../upstream/turn.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Clients } from './clients.ts';
import type { Counters } from './counters.ts';
import type { Logins } from './logins.ts';
import type { Siblings } from './siblings.ts';
import type { Statistics } from './statistics.ts';

/** One object for the whole run: a reload writes its fields, so whoever holds it goes by the new ones at once. */
export interface Limits {
  readonly maxClients: number;
  readonly maxRequestBytes: number;
  readonly clientOutputBytes: number;
  readonly clientStallMs: number;
  readonly inFlightPerClient: number;
  readonly inFlightBytesPerClient: number;
  readonly bufferedBytes: number;
  readonly redirects: number;
  readonly waitingRequests: number;
  readonly failoverWaitMs: number;
  readonly nodeSilenceMs: number;
}

/** Where scripts outlive this process, and other evalgates find them. Nothing rejects, nothing takes long. */
export interface ScriptKeeper {
  /** The registry took in a script by SCRIPT LOAD: settles when it is safe, or as safe as it can be now. */
  keep(script: Script): Promise<void>;
  /** Forgets every script, here at once, elsewhere as it settles. */
  flush(): Promise<void>;
  /** Looks for a sha that the registry lacks: it has it when this settles, if anybody does. Undefined: nobody to ask. */
  lookUp(sha: string): Promise<void> | undefined;
}

/** Keeps the functions of the masters alike. Nothing rejects, nothing takes long. */
export interface FunctionSupply {
  /**
   * A node said that it has no function of this name: true when it lacked it at that time (by the turn's clock), another
   * master has it, and the node has it now.
   */
  supply(node: Node, name: string, refusedAtMs: number): Promise<boolean>;
}

/** What a master has written, and how far each of its replicas that are online has confirmed it: offsets in bytes. */
export interface Replication {
  readonly offset: number;
  readonly replicas: readonly number[];
}

export interface ReplicationView {
  /** Asks the master. Rejects when it does not answer. */
  look(node: Node): Promise<Replication>;
}

/** Loads scripts on nodes in the background. */
export interface ScriptWarming {
  /** Every master that could be reached has it now. */
  onLoaded(script: Script): void;
  /** A SCRIPT FLUSH is about to go to the nodes: loads nothing until `release`; settles when nothing is on its way. */
  holdForFlush(): Promise<void> | undefined;
  /** The flush is over. */
  release(): void;
}

export interface Runtime {
  readonly turn: Turn;
  readonly upstream: Upstream;
  readonly identities: Identities;
  readonly logins: Logins;
  readonly registry: ScriptRegistry;
  readonly keeper: ScriptKeeper;
  readonly functions: FunctionSupply;
  readonly warming: ScriptWarming;
  readonly replication: ReplicationView;
  readonly limits: Limits;
  readonly counters: Counters;
  /** All clients of this process, and whether they are paused. */
  readonly clients: Clients;
  /** The other workers of this evalgate, when there are any. */
  readonly siblings: Siblings | undefined;
  readonly statistics: Statistics;
  /** The topology in force; a session goes on with its own until nothing is in flight (C3c). */
  readonly topology: Topology;
  readonly planner: Planner;
  /** Slots that are read from their primaries only. */
  readonly movingSlots: MovingSlots;
  readonly readFrom: 'primary' | 'replica' | 'prefer_replica';
  /** What HELLO tells of the servers behind. */
  readonly server: { readonly name: string; readonly version: string };
  /** The address that CLUSTER SLOTS and the like show; undefined: the one that the client connected to. */
  readonly announced: { readonly host: string; readonly port: number } | undefined;
  /** The node that a redirect names, if it is part of the topology in force. */
  locate(redirect: Redirect, answering: Node): Node | undefined;
  /** Asks the cluster again, first the node given; settles when that is done, whatever came of it. */
  refresh(first: Node | undefined): Promise<void>;
  /** A client that speaks TLS to a plain port, plain text to a TLS port, or has no good certificate; it is closed. */
  onClientRefused(address: string, reason: string): void;
  /** A bug: an exception that reached the edge of a session. */
  onFault(error: unknown): void;
}
