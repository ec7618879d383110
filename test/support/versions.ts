/**
 * What the server that the tests run with has: tests ask for the command or the version that they are about, and skip with
 * a reason where it is missing. They run with whichever of the supported servers is first on PATH.
 */
import { spawnSync } from 'node:child_process';
import { findServer, inspectServer } from '../../src/control/local-server.ts';

/** Sends a command and gives the decoded reply, as ioredis does. */
interface Caller {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** Whether the node has the command. (Of subcommands, `config|set`, 6.2 tells nothing.) */
export async function hasCommand(node: { client(): Caller }, name: string): Promise<boolean> {
  const [row] = (await node.client().call('COMMAND', 'INFO', name)) as unknown[];
  return row !== null && row !== undefined;
}

/** The server on PATH, before there is a cluster of it: for the names and reasons of tests. */
export const SERVER = await inspectServer(findServer());

/** Whether it is of that version or newer; Redis and Valkey count alike up to 7.2, from where each has its own. */
export function isAtLeast(wanted: { readonly redis: number; readonly valkey: number }): boolean {
  return SERVER.version >= (SERVER.isValkey ? wanted.valkey : wanted.redis);
}

/** Why tests of what came with 7.0 are skipped; false when they are not. */
export const BEFORE_7 = SERVER.version < 7 ? 'since 7.0' : false;

/** Why the server on PATH cannot serve tests with TLS; false when it can. Asked for a TLS port, it ends in either case. */
export function lacksTls(): string | false {
  const options = ['--port', '0', '--tls-port', '1', '--bind', '127.0.0.1', '--save', '', '--logfile', ''];
  const { stdout } = spawnSync(SERVER.path, options, { encoding: 'utf8', timeout: 10_000 });
  return /Failed to configure TLS/.test(stdout) ? false : 'the server was built without TLS';
}

/** What a node says to a command that its user may not run; 6.2 knows no subcommands. */
export function noPermissionTo(name: string): RegExp {
  const [container = '', sub] = name.split('|', 2);
  const command = sub === undefined ? container : `${container}(?:\\|${sub})?`;
  return new RegExp(
    `^-NOPERM (?:this user|User \\w+) has no permissions to run the '${command}' command(?: or its subcommand)?\\r\\n$`,
  );
}

/** What a node says to a key or a channel that its user may not use. */
export const NO_PERMISSION_FOR =
  /^-NOPERM (?:this user has no permissions to access one of the (?:keys|channels) used as arguments|No permissions to access a (?:key|channel))/;

/** What a node says to an EVALSHA of a script that it does not have. */
export const NOSCRIPT =
  SERVER.isValkey && SERVER.version >= 8
    ? '-NOSCRIPT No matching script.\r\n'
    : '-NOSCRIPT No matching script. Please use EVAL.\r\n';
