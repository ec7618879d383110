/**
 * CLUSTER: evalgate shown as one node that owns every slot, so that cluster clients work through it, too: whatever they
 * look up they find the address that they came to, and never another.
 *
 * The address is `listen.announce`, else the one that this client connected to: a host that works for it, never empty.
 * The id is made of the address, so it is the same after a restart.
 */
import { createHash } from 'node:crypto';
import { SLOT_COUNT, slotOf } from '../cluster/slot.ts';
import type { Topology } from '../cluster/topology.ts';
import type { Command } from '../command/table.ts';
import {
  EMPTY_ARRAY,
  encodeArray,
  encodeBulk,
  encodeInteger,
  encodeMap,
  encodeVerbatim,
  type Protocol,
} from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Session } from './session.ts';

const LAST_SLOT = SLOT_COUNT - 1;

/** evalgate as the one node that its client knows. */
interface Self {
  readonly host: string;
  readonly port: number;
  readonly id: string;
  readonly protocol: Protocol;
  readonly topology: Topology;
}

export function runCluster(session: Session, command: Command, request: Request): void {
  const { word } = command;
  const answer = Object.hasOwn(ANSWERS, word) ? ANSWERS[word] : undefined;
  if (answer === undefined) return session.reply(errorLine(EVALGATE.notSupported(`CLUSTER ${word.toUpperCase()}`)));
  session.reply(answer(selfOf(session), request));
}

function selfOf({ client, runtime }: Session): Self {
  const { host, port } = runtime.announced ?? client.local;
  return { host, port, id: idOf('node', host, port), protocol: client.protocol, topology: runtime.topology };
}

/** 40 hexadecimal digits, the same for the same address. */
function idOf(what: 'node' | 'shard', host: string, port: number): string {
  return createHash('sha1').update(`evalgate ${what} ${host} ${port}`).digest('hex');
}

type Answer = (self: Self, request: Request) => Buffer;

const ANSWERS: Readonly<Record<string, Answer>> = {
  slots,
  shards,
  nodes: (self) => encodeVerbatim(self.protocol, nodeLine(self)),
  info: (self) => encodeVerbatim(self.protocol, infoText(self.topology)),
  keyslot: (_, request) => encodeInteger(slotOf(request.bytes, request.argStart(2), request.argEnd(2))),
  myid: ({ id }) => encodeBulk(id),
  myshardid: ({ host, port }) => encodeBulk(idOf('shard', host, port)),
  links: () => EMPTY_ARRAY,
  'count-failure-reports': (self, request) => ofSelf(self, request, encodeInteger(0)),
  replicas: (self, request) => ofSelf(self, request, EMPTY_ARRAY),
  slaves: (self, request) => ofSelf(self, request, EMPTY_ARRAY),
};

/** The answer about the one node there is; any other is unknown. */
function ofSelf(self: Self, request: Request, answer: Buffer): Buffer {
  const id = request.argText(2);
  return id === self.id ? answer : errorLine(REDIS.unknownNode(id));
}

function slots({ host, port, id, protocol }: Self): Buffer {
  const metadata = encodeMap(protocol, []);
  const node = encodeArray([encodeBulk(host), encodeInteger(port), encodeBulk(id), metadata]);
  return encodeArray([encodeArray([encodeInteger(0), encodeInteger(LAST_SLOT), node])]);
}

function shards({ host, port, id, protocol }: Self): Buffer {
  const node = encodeMap(protocol, [
    [encodeBulk('id'), encodeBulk(id)],
    [encodeBulk('port'), encodeInteger(port)],
    [encodeBulk('ip'), encodeBulk(host)],
    [encodeBulk('endpoint'), encodeBulk(host)],
    [encodeBulk('role'), encodeBulk('master')],
    [encodeBulk('replication-offset'), encodeInteger(0)],
    [encodeBulk('health'), encodeBulk('online')],
  ]);
  const shard = encodeMap(protocol, [
    [encodeBulk('slots'), encodeArray([encodeInteger(0), encodeInteger(LAST_SLOT)])],
    [encodeBulk('nodes'), encodeArray([node])],
  ]);
  return encodeArray([shard]);
}

function nodeLine({ host, port, id }: Self): Buffer {
  return Buffer.from(`${id} ${host}:${port}@0 myself,master - 0 0 0 connected 0-${LAST_SLOT}\n`);
}

/** `fail` as long as a slot of the cluster behind has no owner, or no node of it answers. */
function infoText({ bySlot }: Topology): Buffer {
  const covered = bySlot.reduce((count, shard) => (shard === undefined ? count : count + 1), 0);
  const lines = [
    `cluster_state:${covered === SLOT_COUNT ? 'ok' : 'fail'}`,
    `cluster_slots_assigned:${covered}`,
    `cluster_slots_ok:${covered}`,
    'cluster_slots_pfail:0',
    'cluster_slots_fail:0',
    'cluster_known_nodes:1',
    'cluster_size:1',
    'cluster_current_epoch:0',
    'cluster_my_epoch:0',
    'cluster_stats_messages_sent:0',
    'cluster_stats_messages_received:0',
    'total_cluster_links_buffer_limit_exceeded:0',
  ];
  return Buffer.from(lines.map((line) => `${line}\r\n`).join(''));
}
