/**
 * What the nodes say to those who are not logged in: whether they let them in at all, and whether a login is good.
 * Asked over connections that are nobody's and carry nothing else, so a wrong password touches no other client.
 *
 *     knock ─▶ PING on a new connection      ─▶ +PONG: anybody may come in    -NOAUTH …: nobody may
 *     login ─▶ AUTH … of many clients, one behind the other on a few connections
 *
 * An AUTH is sent when the one before it is answered: servers from 7.2 on give a wrong password no reply at all while
 * other replies have not left (`addAuthErrReply` in acl.c), and every client behind would get the answer to another.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { Node } from '../cluster/topology.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { Identities } from './access.ts';
import type { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { Upstream } from './upstream.ts';

/** A node that says nothing for so long is taken for one that is not there. */
const PATIENCE_MS = 2000;
const PING = encodeCommand('PING');

/** Connections to one node for logins, at most. */
const DOORMEN = 8;

interface Login {
  readonly auth: Buffer;
  readonly settle: (reply: Buffer | undefined) => void;
}

/** Those who want to log in at one node, oldest first, and how many connections serve them. */
interface Line {
  readonly waiting: RingQueue<Login>;
  servingCount: number;
}

export class FrontDoor {
  readonly #upstream: Upstream;
  readonly #identities: Identities;
  /** By address. */
  readonly #lines = new Map<string, Line>();
  readonly #serving = new Set<Connection>();

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
  login(node: Node, auth: Buffer): Promise<Buffer | undefined> {
    return new Promise((settle) => {
      const line = this.#lineTo(node.address);
      line.waiting.push({ auth, settle });
      if (line.servingCount < DOORMEN) void this.#serve(line, node);
    });
  }

  #lineTo(address: string): Line {
    const known = this.#lines.get(address);
    if (known !== undefined) return known;
    const line = { waiting: new RingQueue<Login>(), servingCount: 0 };
    this.#lines.set(address, line);
    return line;
  }

  /** Serves the line until nobody waits. */
  async #serve(line: Line, node: Node): Promise<void> {
    line.servingCount++;
    const connection = this.#open(node);
    this.#serving.add(connection);
    let isThere = true;
    while (isThere && connection.state !== 'closed') {
      const login = line.waiting.shift();
      if (login === undefined) break;
      const reply = await ask(connection, login.auth);
      login.settle(reply);
      isThere = reply !== undefined;
    }
    this.#serving.delete(connection);
    connection.destroy('lost', 'no longer needed');
    line.servingCount--;
    if (isThere && line.waiting.length > 0) void this.#serve(line, node);
    else if (line.servingCount === 0) this.#dismiss(line, node);
  }

  /** Nobody waits for a node that cannot be reached: the next one may answer. */
  #dismiss(line: Line, node: Node): void {
    this.#lines.delete(node.address);
    for (let login = line.waiting.shift(); login !== undefined; login = line.waiting.shift()) login.settle(undefined);
  }

  #open(node: Node): Connection {
    return this.#upstream.openControl(node, this.#identities.nobody.access(2));
  }

  close(): void {
    for (const connection of this.#serving) connection.destroy('lost', 'evalgate stops');
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
