/**
 * What the nodes say to those who are not logged in: whether they let them in at all, and whether a login is good.
 * Asked over connections that are nobody's and carry nothing else, so a wrong password touches no other client.
 *
 *     knock ─▶ PING on a new connection      ─▶ +PONG: anybody may come in    -NOAUTH …: nobody may
 *     login ─▶ AUTH … of many clients on one connection, each with a reply of its own
 */
import type { Node } from '../cluster/topology.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { Identities } from './access.ts';
import type { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { Upstream } from './upstream.ts';

/** A node that says nothing for so long is taken for one that is not there. */
const PATIENCE_MS = 2000;
const PING = encodeCommand('PING');

export class FrontDoor {
  readonly #upstream: Upstream;
  readonly #identities: Identities;
  /** The connection of each node on which logins are under way. */
  readonly #logins = new Map<string, Connection>();

  constructor(upstream: Upstream, identities: Identities) {
    this.#upstream = upstream;
    this.#identities = identities;
  }

  /** The reply to a PING of somebody not logged in; undefined when the node cannot be reached. */
  async knock(node: Node): Promise<Buffer | undefined> {
    const connection = this.#open(node);
    const reply = await ask(connection, PING);
    connection.destroy('lost', 'no longer needed');
    return reply;
  }

  /** The reply to an AUTH request; undefined when the node cannot be reached. */
  async login(node: Node, auth: Buffer): Promise<Buffer | undefined> {
    let connection = this.#logins.get(node.address);
    if (connection === undefined || connection.state === 'closed') {
      connection = this.#open(node);
      this.#logins.set(node.address, connection);
    }
    const reply = await ask(connection, auth);
    if (connection.unansweredCount === 0) {
      if (this.#logins.get(node.address) === connection) this.#logins.delete(node.address);
      connection.destroy('lost', 'no longer needed');
    }
    return reply;
  }

  #open(node: Node): Connection {
    return this.#upstream.openControl(node, this.#identities.nobody.access(2));
  }

  close(): void {
    for (const connection of this.#logins.values()) connection.destroy('lost', 'evalgate stops');
  }
}

function ask(connection: Connection, frame: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => connection.destroy('silent', `did not answer for ${PATIENCE_MS} ms`), PATIENCE_MS);
    const settle = (reply: Buffer | undefined): void => {
      clearTimeout(timer);
      resolve(reply);
    };
    const sink = {
      onReply: (_: Exchange, bytes: Buffer, start: number, end: number) =>
        settle(Buffer.from(bytes.subarray(start, end))),
      onFailure: () => settle(undefined),
    };
    connection.sendOwn(new Exchange(sink, 0, undefined, 0), frame);
  });
}
