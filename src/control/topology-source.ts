/**
 * Finds out who owns which slot, and publishes a new `Topology` when that changed.
 *
 * Asked are, one after another until one answers: the node that sent a MOVED (others lag behind it), the nodes known,
 * the seeds. Each is asked for the slots, and for masters that own none yet. One refresh at a time; who asks for one
 * meanwhile waits for the next, because the one under way may have been answered before the change. While a primary does
 * not answer, it is repeated every 200 ms.
 */
import type { Logger } from 'pino';
import type { Redirect } from '../cluster/redirect.ts';
import { slotlessMasters } from '../cluster/slotless.ts';
import {
  type AddressContext,
  EMPTY_TOPOLOGY,
  formatAddress,
  makeNode,
  type Node,
  type Topology,
  topologyFromSlots,
  withSlotless,
} from '../cluster/topology.ts';
import type { ControlClients } from './control-clients.ts';
import type { HostPort } from './host-port.ts';

const REPEAT_MS = 200;
/** Another reason why no node answers is told no sooner after the last one. */
const QUIET_MS = 5000;

/** What a reload may change. */
export interface TopologySettings {
  readonly seeds: readonly HostPort[];
  readonly natMap: AddressContext['natMap'];
  readonly refreshIntervalMs: number;
}

export interface TopologySourceOptions extends TopologySettings {
  readonly clients: Pick<ControlClients, 'call' | 'retain'>;
  readonly log: Logger;
  readonly onChange: (topology: Topology) => void;
  /** A node answered, whether or not anything changed. */
  readonly onRefreshed: () => void;
}

export class TopologySource {
  current: Topology = EMPTY_TOPOLOGY;
  #options: TopologySourceOptions;
  #asksSeedsFirst = false;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #first: Node | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** Why no node answered. */
  #problem = '';
  /** The reason that was logged last, so that each is logged once. */
  #told = '';
  #toldAtMs = 0;
  /** Primaries that lost a connection and have not answered since. */
  readonly #suspects = new Set<string>();
  readonly #pinging = new Set<string>();

  constructor(options: TopologySourceOptions) {
    this.#options = options;
  }

  /** Asks again, first the node given; settles when a refresh that began after the call is done. Never rejects. */
  refresh(first: Node | undefined): Promise<void> {
    this.#first ??= first;
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#run();
    });
    return this.#next;
  }

  /** A connection to this node was lost, or could not be made: look until it answers or is no primary any more. */
  suspect(node: Node): void {
    this.#suspects.add(node.address);
    void this.refresh(undefined);
  }

  /** Goes by other settings from now on, and asks at once: the seeds first, which may be those of another cluster. */
  use(settings: TopologySettings): void {
    this.#options = { ...this.#options, ...settings };
    this.#asksSeedsFirst = true;
    void this.refresh(undefined);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** The node that a redirect names, if it is known. */
  locate(redirect: Redirect, answering: Node): Node | undefined {
    if (redirect.host === undefined) return undefined;
    const announced = { host: redirect.host === '' ? answering.host : redirect.host, port: redirect.port };
    const { address } = makeNode(announced, { askedHost: answering.host, natMap: this.#options.natMap });
    for (const node of this.current.nodes.values()) if (node.address === address) return node;
    return undefined;
  }

  #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running = this.#refreshOnce()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'topology refresh failed'))
      .finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
    return this.#running;
  }

  #schedule(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    const isWhole = this.current.shards.length > 0 && this.#suspects.size === 0 && this.#problem === '';
    this.#timer = setTimeout(() => void this.refresh(undefined), isWhole ? this.#options.refreshIntervalMs : REPEAT_MS);
  }

  async #refreshOnce(): Promise<void> {
    const first = this.#first;
    this.#first = undefined;
    const problems: string[] = [];
    for (const node of this.#candidates(first)) {
      if (this.#isStopped) return;
      try {
        const topology = await this.#topologySeenBy(node);
        if (topology.shards.length === 0) throw new Error('knows no slots');
        this.#accept(topology);
        this.#options.onRefreshed();
        this.#clearSuspects();
        return;
      } catch (error) {
        problems.push(`${node.address}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#report(problems.sort().join('; '));
  }

  async #topologySeenBy(node: Pick<Node, 'host' | 'port' | 'address'>): Promise<Topology> {
    const { clients, natMap } = this.#options;
    const context = { askedHost: node.host, natMap };
    // Masters without slots are a help, not a must: a node that does not tell them is good enough.
    const [slots, nodes] = await Promise.all([
      clients.call(node, 'CLUSTER', 'SLOTS'),
      clients.call(node, 'CLUSTER', 'NODES').catch(() => ''),
    ]);
    const topology = topologyFromSlots(slots, context);
    return withSlotless(topology, slotlessMasters(nodes, context, topology.nodes));
  }

  /** Whom to ask, in order, each once. */
  #candidates(first: Node | undefined): Pick<Node, 'host' | 'port' | 'address'>[] {
    const known = [...this.current.nodes.values()];
    const healthy = known.filter((node) => !this.#suspects.has(node.address));
    const seeds = this.#options.seeds.map((seed) => ({ ...seed, address: formatAddress(seed.host, seed.port) }));
    const preferred = this.#asksSeedsFirst ? seeds : [];
    this.#asksSeedsFirst = false;
    const all = [...preferred, ...(first === undefined ? [] : [first]), ...shuffled(healthy), ...seeds, ...known];
    return [...new Map(all.map((node) => [node.address, node])).values()];
  }

  #accept(topology: Topology): void {
    this.#report('');
    if (topology.signature === this.current.signature) return;
    this.current = topology;
    this.#options.clients.retain(
      new Set([
        ...[...topology.nodes.values()].map((node) => node.address),
        ...this.#options.seeds.map((seed) => formatAddress(seed.host, seed.port)),
      ]),
    );
    this.#log(topology);
    this.#options.onChange(topology);
  }

  #log({ shards }: Topology): void {
    const seen = shards.map(({ primary, replicas, slotCount }) => ({
      primary: primary.address,
      replicas: replicas.map((node) => node.address),
      slots: slotCount,
    }));
    this.#options.log.info({ shards: seen }, 'topology changed');
  }

  #report(problem: string): void {
    this.#problem = problem;
    if (problem === this.#told) return;
    const nowMs = performance.now();
    if (problem === '') this.#options.log.info('the cluster answers again');
    else if (this.#told !== '' && nowMs - this.#toldAtMs < QUIET_MS) return;
    else this.#options.log.warn({ problem }, 'no node of the cluster answers');
    this.#told = problem;
    this.#toldAtMs = nowMs;
  }

  /**
   * A suspect is cleared when it answers, or when it is no primary any more. Not waited for: a frozen node would hold up
   * whoever waits to hear of its successor.
   */
  #clearSuspects(): void {
    const primaries = new Map(this.current.shards.map(({ primary }) => [primary.address, primary]));
    for (const address of this.#suspects) {
      const primary = primaries.get(address);
      if (primary === undefined) this.#suspects.delete(address);
      else if (!this.#pinging.has(address)) void this.#ping(primary);
    }
  }

  async #ping(node: Node): Promise<void> {
    this.#pinging.add(node.address);
    try {
      await this.#options.clients.call(node, 'PING');
      this.#suspects.delete(node.address);
    } catch (error) {
      if (isReply(error)) this.#suspects.delete(node.address);
    }
    this.#pinging.delete(node.address);
  }
}

/** Whether an ioredis error is a reply of the node (BUSY, LOADING) and not the lack of one. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}
