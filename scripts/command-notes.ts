/**
 * What differs from one Redis server, a note for each command where something does. Goes into docs/commands.md
 * (generate-command-docs.ts).
 */
export const NOTES: Readonly<Record<string, string>> = {
  move: 'Refused by the node: a cluster has one database.',
  spublish: 'Goes by the slot of the channel. Subscribing (`SSUBSCRIBE`) is not supported.',
  msetnx: 'Sets all keys or none, so it is not split.',
  sort: 'The target of `STORE` counts as a key. In cluster mode the node refuses `BY` with a pattern.',
  xread: '`BLOCK` is refused.',
  xreadgroup: '`BLOCK` is refused.',

  mget: 'Not one moment: a write may come between two parts.',
  mset: 'Not atomic: another client may see some keys set and others not yet.',

  keys: 'No order between shards.',
  flushall: 'Not one moment: shards are emptied one by one.',
  flushdb: 'Not one moment: shards are emptied one by one.',
  'config|set': 'A node that cannot be reached makes the reply an error; the others are set.',
  'slowlog|len': '`SLOWLOG GET` shows one node only.',

  scan: 'One cursor walks all shards: it holds the index of the shard and the cursor of its master. `COUNT` counts for each step on one shard. While slots move between shards a key may be missed or come twice.',
  randomkey:
    'Asks the shards in random order until one has a key. Each shard is as likely as any other, however many keys it has.',
  wait: "Asked of the masters over the connections that carried this client's writes; the reply is the smallest number. `WAITAOF` (7.2) likewise.",

  info: 'Of one node: figures are not summed.',
  role: 'Of one node: always a master.',
  publish:
    'The cluster passes the message on to all nodes; the number of receivers is that of one node. Subscribing is not supported.',
  'config|get': 'Of one node. `CONFIG SET` goes to all.',
  'slowlog|get': 'Of one node.',
  'function|list': 'Of one master: `FUNCTION LOAD` goes to all, so they agree, except with a master added later.',
  'function|dump': 'Of one master, as `FUNCTION LIST`.',
  select: '`SELECT 0` is OK; any other number is refused by the node.',
  swapdb: 'Refused by the node: a cluster has one database.',
  'command|list': 'The commands of the node, also those that evalgate refuses.',
  'cluster|keyslot': 'With HELP the only subcommand of CLUSTER that is not refused.',

  asking: 'OK, without effect: evalgate follows redirects itself.',
  readonly: 'OK, without effect: reads go to masters.',
  readwrite: 'OK, without effect.',
  ping: '`PONG`, or the argument, whether or not the cluster can be reached.',
  echo: 'The argument.',
  hello:
    'RESP2 only: `HELLO`, `HELLO 2`, and `SETNAME`. The version is that of a node; the mode is `standalone`, the role `master`.',
  quit: 'OK, then the connection ends.',
  reset: '`RESET`; the name set by `CLIENT SETNAME` is gone.',
  'client|id': "evalgate's number of the connection.",
  'client|getname': 'The name set by `CLIENT SETNAME`.',
  'client|setname': 'Kept by evalgate; nodes do not see it.',
  'client|setinfo': 'Kept by evalgate; nodes do not see it.',

  eval: 'The script is known from then on, for every client. From its second use on a node it goes there as EVALSHA (`scripting.eval_to_evalsha`).',
  eval_ro: 'As EVAL; a script that names a write command is refused before it is sent.',
  evalsha:
    'Upper and lower case are the same. A script that evalgate knows does not get NOSCRIPT; for one that nobody knows the NOSCRIPT is that of the node.',
  evalsha_ro: 'As EVALSHA; a known script that names a write command is refused before it is sent.',
  fcall: 'Keys of several slots are refused; all else is judged by the node. Without keys: to any master.',
  fcall_ro: 'As FCALL; goes to a master, too.',
  'function|kill': 'As `SCRIPT KILL`.',
  'script|load':
    'To every master. The sha, when all have answered or 1 s after the first one compiled it; a script that does not compile gets the error of the node. A master that was away gets the body with the first call.',
  'script|exists':
    '1 for a script that evalgate holds, because it can run it on every node; else 1 if every master has it.',
  'script|flush':
    'To every node, then out of the registry. OK when all masters are flushed; else, after 2 s at most, an error that names those that are not, and they are flushed when they are back.',
  'script|kill':
    'To every master, over connections that carry nothing else. OK if a script was killed; else UNKILLABLE, BUSY or NOTBUSY, in this order, as the nodes say.',
  'script|debug': 'Refused, whatever the arguments: `ERR script debug not support`.',
};
