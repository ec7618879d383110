/**
 * Addresses as they stand in the config: `host:port`, an IPv6 host in brackets (`[::1]:7000`).
 * The other direction is `formatAddress` of cluster/topology.ts.
 */
import { OperatorError } from '../base/operator-error.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/;

/** The two parts of `host:port`. Throws an OperatorError when the text is no such address; a loaded config holds none. */
export function parseHostPort(text: string): HostPort {
  const address = tryParse(text);
  if (address !== undefined) return address;
  throw new OperatorError(
    'EVALGATE_CONFIG',
    `Cannot read address "${text}": it must be host:port, [host]:port for IPv6`,
  );
}

export function isHostPort(text: string): boolean {
  return tryParse(text) !== undefined;
}

function tryParse(text: string): HostPort | undefined {
  const [, ipv6, name, portText] = FORM.exec(text) ?? [];
  const host = ipv6 ?? name;
  const port = Number(portText);
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port };
}
