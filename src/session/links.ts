/**
 * The links of one session: which connection it uses at which node, under the topology it goes by and as whom.
 */
import type { Node, Topology } from '../cluster/topology.ts';
import type { Access } from '../upstream/access.ts';
import type { Connection } from '../upstream/connection.ts';
import { Link } from '../upstream/link.ts';
import type { Pool } from '../upstream/pool.ts';
import type { Upstream } from '../upstream/upstream.ts';

export class Links {
  readonly #upstream: Upstream;
  #access: Access;
  #byAddress = new Map<string, Link>();
  /** Links under an earlier access over which the session has written. */
  readonly #earlier = new Map<string, Link>();
  #lastNode: Node | undefined;
  #lastLink: Link | undefined;

  constructor(upstream: Upstream, access: Access) {
    this.#upstream = upstream;
    this.#access = access;
  }

  /** Goes on under another access; only when nothing is in flight. */
  use(access: Access): void {
    for (const [address, link] of this.#byAddress) if (link.hasWritten) this.#earlier.set(address, link);
    this.#access = access;
    this.#byAddress = new Map();
    this.#lastNode = undefined;
    this.#lastLink = undefined;
  }

  to(node: Node): Link {
    if (node === this.#lastNode && this.#lastLink !== undefined) return this.#lastLink;
    let link = this.#byAddress.get(node.address);
    if (link === undefined || link.pool !== this.#upstream.of(node, this.#access)) {
      const wroteBefore = link?.hasWritten === true || this.#earlier.has(node.address);
      link = new Link(this.#upstream.of(node, this.#access));
      link.wroteApart = wroteBefore;
      this.#byAddress.set(node.address, link);
    }
    this.#lastNode = node;
    this.#lastLink = link;
    return link;
  }

  /** Forgets links to nodes that left; only when nothing is in flight. */
  keep(topology: Topology): void {
    const addresses = new Set([...topology.nodes.values()].map((node) => node.address));
    for (const address of this.#byAddress.keys()) {
      if (!addresses.has(address)) this.#byAddress.delete(address);
    }
    for (const address of this.#earlier.keys()) if (!addresses.has(address)) this.#earlier.delete(address);
    this.#lastNode = undefined;
    this.#lastLink = undefined;
  }

  /** The pools that this session uses. */
  get pools(): Pool[] {
    return [...this.#byAddress.values()].map((link) => link.pool);
  }

  /** The links over which this session has written, with the connection that carried the last write; else any. */
  get writers(): { link: Link; connection: Connection | undefined }[] {
    const written = [...this.#byAddress].filter(([, link]) => link.hasWritten);
    const links = new Map([...this.#earlier, ...written]).values();
    return [...links].map((link) => ({ link, connection: link.wroteOn ?? link.take() }));
  }
}
