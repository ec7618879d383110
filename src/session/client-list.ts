/**
 * How CLIENT LIST and CLIENT INFO show a client: the fields of Redis, in its order (catClientInfoString in its
 * networking.c). What has no meaning here is 0 or -1: file descriptor, databases, Redis's own buffers.
 */
import { formatAddress } from '../cluster/topology.ts';
import type { Session } from './session.ts';

/** One line, without its end. */
export function clientLine(session: Session, nowMs: number): string {
  const { client, inputBytes } = session;
  const { unreadBytes } = session.output;
  const seconds = (ms: number): number => Math.floor(ms / 1000);
  const fields: readonly (readonly [name: string, value: string | number])[] = [
    ['id', client.id],
    ['addr', client.address],
    ['laddr', formatAddress(client.local.host, client.local.port)],
    ['fd', -1],
    ['name', textOf(client.name)],
    ['age', seconds(nowMs - client.connectedMs)],
    ['idle', seconds(client.idleMs(nowMs))],
    ['flags', flagsOf(session)],
    ['db', 0],
    ['sub', session.dispatcher.subscriptions?.counts.channel ?? 0],
    ['psub', session.dispatcher.subscriptions?.counts.pattern ?? 0],
    ['ssub', session.dispatcher.subscriptions?.counts.shard ?? 0],
    ['multi', -1],
    ['qbuf', inputBytes],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', 0],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', unreadBytes],
    ['oll', 0],
    ['omem', unreadBytes],
    ['tot-mem', inputBytes + unreadBytes],
    ['events', session.isBlocked ? 'w' : 'r'],
    ['cmd', client.command?.name ?? 'NULL'],
    ['user', client.user],
    ['redir', -1],
    ['resp', client.protocol],
    ['lib-name', textOf(client.libraryName)],
    ['lib-ver', textOf(client.libraryVersion)],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

function flagsOf({ client, dispatcher }: Session): string {
  const flags = `${dispatcher.subscriptions?.isSubscribed ? 'P' : ''}${client.unblock === undefined ? '' : 'b'}${client.isNoEvict ? 'e' : ''}${client.isNoTouch ? 'T' : ''}`;
  return flags === '' ? 'N' : flags;
}

function textOf(bytes: Buffer | undefined): string {
  return bytes?.toString('latin1') ?? '';
}
