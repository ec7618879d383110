/**
 * Who owns which slot: an immutable picture of the cluster, made from `CLUSTER SLOTS`.
 *
 * The control plane publishes a new `Topology` when the cluster has changed; sessions go by one object at a time and
 * compare objects, never contents (C3c). `signature` tells whether two pictures are the same.
 */
import { SLOT_COUNT } from './slot.ts';

/** One server process of the cluster. */
export interface Node {
  /** The cluster's name for it; the address when an old server gives none. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** `host:port`, `[host]:port` for IPv6: as it stands in errors and logs. */
  readonly address: string;
}

/** A primary with its replicas and the slots they hold. */
export interface Shard {
  readonly primary: Node;
  readonly replicas: readonly Node[];
  readonly slotCount: number;
  readonly firstSlot: number;
}

export interface Topology {
  /** In order of their lowest slot. */
  readonly shards: readonly Shard[];
  /** The shard of each slot; undefined where none is known. */
  readonly bySlot: readonly (Shard | undefined)[];
  /** All of the shards, and masters without slots as far as they are known. By id. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Equal for equal pictures. */
  readonly signature: string;
}

export const EMPTY_TOPOLOGY: Topology = topologyFromSlots([], { askedHost: '', natMap: new Map() });

export interface AddressContext {
  /** Host of the node that answered: stands in where it gives none for itself. */
  readonly askedHost: string;
  /** Announced `host:port` → reachable `host:port`. */
  readonly natMap: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * A topology from a decoded `CLUSTER SLOTS` reply. Rows that make no sense are left out; a node without an address
 * (`nil` or empty) is the one that answered, one with the address `?` is unknown and left out.
 */
export function topologyFromSlots(reply: unknown, context: AddressContext): Topology {
  const drafts = new Map<string, Draft>();
  const bySlot = new Array<Shard | undefined>(SLOT_COUNT).fill(undefined);
  for (const row of Array.isArray(reply) ? reply : []) readRow(row, context, drafts);
  const shards = [...drafts.values()].map(toShard).sort((a, b) => a.firstSlot - b.firstSlot);
  const nodes = new Map<string, Node>();
  for (const shard of shards) {
    for (const [first, last] of drafts.get(shard.primary.id)?.ranges ?? []) bySlot.fill(shard, first, last + 1);
    for (const node of [shard.primary, ...shard.replicas]) nodes.set(node.id, node);
  }
  const signature = [...drafts.values()].map(signatureOf).sort().join('\n');
  return Object.freeze({ shards, bySlot, nodes, signature });
}

/** The same with masters that own no slot (slotless.ts). */
export function withSlotless(topology: Topology, slotless: readonly Node[]): Topology {
  if (slotless.length === 0) return topology;
  const nodes = new Map([...topology.nodes, ...slotless.map((node) => [node.id, node] as const)]);
  const addresses = slotless.map((node) => `${node.id}@${node.address}`).sort();
  return Object.freeze({ ...topology, nodes, signature: `${topology.signature}\n${addresses.join('\n')}` });
}

interface Draft {
  readonly primary: Node;
  readonly replicas: Map<string, Node>;
  readonly ranges: [number, number][];
}

function readRow(row: unknown, context: AddressContext, drafts: Map<string, Draft>): void {
  if (!Array.isArray(row)) return;
  const [first, last, primaryRow, ...replicaRows] = row as unknown[];
  if (!isSlot(first) || !isSlot(last) || last < first) return;
  const primary = nodeFrom(primaryRow, context);
  if (primary === undefined) return;
  const draft: Draft = drafts.get(primary.id) ?? { primary, replicas: new Map(), ranges: [] };
  drafts.set(primary.id, draft);
  draft.ranges.push([first, last]);
  for (const replicaRow of replicaRows) {
    const replica = nodeFrom(replicaRow, context);
    if (replica !== undefined) draft.replicas.set(replica.id, replica);
  }
}

function isSlot(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < SLOT_COUNT;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65535;
}

function nodeFrom(row: unknown, context: AddressContext): Node | undefined {
  if (!Array.isArray(row)) return undefined;
  const [announcedHost, announcedPort, id] = row as unknown[];
  if (announcedHost === '?' || !isPort(announcedPort)) return undefined;
  const named = typeof announcedHost === 'string' && announcedHost !== '';
  const announced = { host: named ? announcedHost : context.askedHost, port: announcedPort };
  return makeNode(announced, context, typeof id === 'string' ? id : undefined);
}

/** A node by its announced address, as it is reachable from here. */
export function makeNode(announced: { host: string; port: number }, context: AddressContext, id?: string): Node {
  const announcedAddress = formatAddress(announced.host, announced.port);
  const { host, port } = context.natMap.get(announcedAddress) ?? announced;
  return { id: id ?? announcedAddress, host, port, address: formatAddress(host, port) };
}

function toShard({ primary, replicas, ranges }: Draft): Shard {
  ranges.sort(([a], [b]) => a - b);
  return {
    primary,
    replicas: [...replicas.values()],
    slotCount: ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0),
    firstSlot: ranges[0]?.[0] ?? SLOT_COUNT,
  };
}

function signatureOf({ primary, replicas, ranges }: Draft): string {
  const spans = ranges.map(([first, last]) => `${first}-${last}`).sort();
  const others = [...replicas.values()].map((node) => `${node.id}@${node.address}`).sort();
  return `${primary.id}@${primary.address} ${spans.join(',')} ${others.join(',')}`;
}
