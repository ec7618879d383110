/**
 * R6: the command must be one that the cluster knows and that a cluster proxy can offer. Commands that the server
 * itself refuses in scripts (flag noscript) are known: its own text answers.
 */
import { LUA } from '../../resp/errors.ts';
import type { CallSite } from '../call-site.ts';
import { siteRule } from '../rule.ts';
import { detached } from '../string-literal.ts';

/** Known to every server, yet not for clients of a proxy: no table tells, so each has its reason here. */
const NOT_OFFERED: ReadonlyMap<string, string> = new Map([
  ['acl', 'users belong to the whole cluster, not to the node that runs the script'],
  ['bgrewriteaof', 'administers one node'],
  ['bgsave', 'administers one node'],
  ['debug', 'administers one node'],
  ['failover', 'changes the cluster behind the proxy'],
  ['lastsave', 'tells of one node'],
  ['latency', 'tells of one node'],
  ['migrate', 'moves keys behind the cluster'],
  ['module', 'administers one node'],
  ['psync', 'is replication'],
  ['replicaof', 'changes the cluster behind the proxy'],
  ['reset', 'changes the connection, which belongs to the proxy'],
  ['save', 'blocks one node'],
  ['shutdown', 'stops one node'],
  ['slaveof', 'changes the cluster behind the proxy'],
  ['stralgo', 'is gone since Redis 7'],
  ['sync', 'is replication'],
]);

/** As Redis cuts unknown names in its own errors. */
const SHOWN_NAME_CHARS = 128;

export const unknownCommand = siteRule({ id: 'unknown-command', texts: [LUA.unknownCommand] }, (site) => {
  const advice = adviceFor(site);
  if (advice === undefined || site.name === undefined) return undefined;
  return { text: LUA.unknownCommand(detached(site.name.slice(0, SHOWN_NAME_CHARS))), advice };
});

function adviceFor({ name, command }: CallSite): string | undefined {
  if (name === undefined) return undefined;
  if (command === undefined) return 'check the spelling, and whether the servers have this command';
  const reason = NOT_OFFERED.get(name.toLowerCase());
  if (reason !== undefined) return `do this on a connection to the node: ${name} ${reason}`;
  const isAdministration = command.name.startsWith('cluster|') && command.spec.flags.includes('admin');
  return isAdministration ? 'administer the cluster on connections to its nodes, not through a script' : undefined;
}
