/**
 * What differs from one Redis server, a note for each command where something does. Goes into docs/commands.md
 * (generate-command-docs.ts).
 */
export const NOTES: Readonly<Record<string, string>> = {
  move: 'Refused by the node: a cluster has one database.',
  spublish: 'Goes by the slot of the channel. The number of receivers is that of its owner.',
  msetnx: 'Sets all keys or none, so it is not split.',
  sort: 'The target of `STORE` counts as a key. In cluster mode the node refuses `BY` with a pattern.',
  xread: 'With `BLOCK` as the blocking commands.',
  xreadgroup: 'With `BLOCK` as the blocking commands.',

  mget: 'Not one moment: a write may come between two parts.',
  mset: 'Not atomic: another client may see some keys set and others not yet.',

  keys: 'No order between shards.',
  flushall: 'Not one moment: shards are emptied one by one.',
  flushdb: 'Not one moment: shards are emptied one by one.',
  'config|set': 'A node that cannot be reached makes the reply an error; the others are set.',

  scan: 'One cursor walks all shards: it holds the index of the shard and the cursor of its master. `COUNT` counts for each step on one shard. While slots move between shards a key may be missed or come twice.',
  randomkey:
    'Asks the shards in random order until one has a key. Each shard is as likely as any other, however many keys it has.',
  wait: "Asked of the masters over the connections that carried this client's writes; the reply is the smallest number. The client's next requests wait. WAITs of clients that wrote over the same connection come one after another, so one may take longer than its timeout. Once this client has written by EXEC or a blocking command, which go over other connections, the master is asked what its replicas have confirmed; what others wrote before the WAIT counts then, too. `WAITAOF` (7.2) is refused in that case.",

  multi:
    'Answered here; the first key decides the node. Inside, commands for many nodes, SCAN, RANDOMKEY, WAIT, CLIENT, HELLO and the like are refused, and spoil the transaction.',
  exec: 'Keys of several slots: EXECABORT, as for every command that was refused when it was queued.',
  discard: 'As Redis: it ends the watch too.',
  watch: 'Keys of one slot, that of the transaction. When the slot moves or its node is lost, EXEC answers null.',
  unwatch: 'Outside MULTI answered here.',

  info: 'Of one node: figures are not summed.',
  role: 'Of one node: always a master.',
  publish:
    'The cluster passes the message on to all nodes. The number of receivers is that of the one node that took the message, as with any cluster: 0 says nothing of subscribers elsewhere.',
  subscribe:
    'Confirmed when the node has confirmed. Channels of keyspace notifications (`__keyspace@0__:…`, `__keyevent@0__:…`): from every master, each event once. A message that somebody publishes to such a channel by hand comes once from each master.',
  psubscribe:
    'As SUBSCRIBE; a pattern that can match channels of keyspace notifications, such as `*`, goes to every master.',
  ssubscribe: 'At the owner of the slot. Channels of several slots in one command are refused with CROSSSLOT.',
  unsubscribe: 'The confirmations are in the order in which the channels were subscribed.',
  punsubscribe: 'As UNSUBSCRIBE.',
  sunsubscribe: 'As UNSUBSCRIBE. Channels of several slots in one command are refused with CROSSSLOT.',
  'pubsub|channels': 'Of all nodes, replicas too: each channel once.',
  'pubsub|shardchannels': 'Of all nodes, replicas too: each channel once.',
  'pubsub|numsub':
    'Of all nodes, replicas too: the sum. Clients of evalgate are subscribed to keyspace notifications at every master, so for these channels it is the largest number of one node.',
  'pubsub|shardnumsub': 'Of all nodes, replicas too: the sum.',
  'pubsub|numpat':
    'The sum over all nodes, replicas too. A pattern that clients have at several nodes counts at each of them, and one that can match keyspace notifications counts at every master.',
  'config|get': 'Of one node. `CONFIG SET` goes to all.',
  'function|list':
    'Of one master: `FUNCTION LOAD` goes to all, and a master that joins or comes back without the libraries gets them.',
  'function|dump': 'Of one master, as `FUNCTION LIST`.',
  select: '`SELECT 0` is OK; any other number is refused, also where the cluster has databases (Valkey 9).',
  swapdb: 'Refused by the node: a cluster has one database.',
  'command|count': 'Of the node: counts also what evalgate refuses.',
  'command|docs': "The node's words: of one Redis server, not of evalgate. What differs is on this page.",
  'command|info': 'The facts of the node, by which evalgate routes; also for commands that it refuses.',
  'command|list': 'The commands of the node, also those that evalgate refuses.',
  'acl|list': 'Of one node: `ACL SETUSER` goes to all, so they agree.',
  'acl|getuser': 'Of one node, as `ACL LIST`.',
  'acl|users': 'Of one node, as `ACL LIST`.',
  'module|list': 'Of one node: they are taken to have the same modules.',
  'latency|latest': 'Of one node; `LATENCY RESET` goes to all.',
  'latency|history': 'Of one node.',
  'latency|histogram': 'Of one node.',
  'latency|doctor': 'Of one node.',
  'latency|graph': 'Of one node.',
  'memory|doctor': 'Of one node.',
  'memory|stats': 'Of one node: figures are not summed.',
  'memory|malloc-stats': 'Of one node.',
  time: "The clock of one node. A client's requests keep to the same one.",
  'client|help': "The node's text.",
  'cluster|help': "The node's text: lists also what evalgate refuses.",

  save: 'Every node stops working while it saves, as one server does.',
  bgsave: 'Every node forks. One that cannot is an error; the others save.',
  bgrewriteaof: 'As `BGSAVE`.',
  lastsave:
    'Everything was saved at that time or later. After `BGSAVE` compare it with the time of the call: that it has changed says only that the oldest has.',
  'acl|setuser':
    'A node that cannot be reached makes the reply an error; the others have the user. A node that joins later has to be given its users.',
  'acl|deluser': 'As `ACL SETUSER`.',
  'acl|load': 'Every node reads its own file.',
  'acl|save': 'Every node writes its own file.',
  'acl|log': 'The count is for each node. `RESET` empties all.',

  'slowlog|get':
    "evalgate's own slow log: the last 128 requests that a node took 10 ms or longer for. Entries have Redis's six elements; which node and which script stands in `/api/slowlog` of the admin port.",
  asking: 'OK, without effect: evalgate follows redirects itself.',
  readonly: 'OK, without effect: where reads go says `cluster.read_from`.',
  readwrite: 'OK, without effect.',
  ping: '`PONG`, or the argument, whether or not the cluster can be reached.',
  echo: 'The argument.',
  auth: '[security.md](security.md): asked of a node, or of the `accounts` of the config.',
  hello:
    'RESP2 and RESP3, `AUTH`, `SETNAME`. The version is that of a node; the mode is `cluster`, as in `INFO` of the nodes, the role `master`.',
  quit: 'OK, then the connection ends.',
  reset:
    '`RESET`; the login and what `CLIENT` has set (`SETNAME`, `REPLY`, `NO-EVICT`, `NO-TOUCH`) is gone, and the protocol is RESP2.',
  'client|id': "evalgate's number of the connection.",
  'client|getname': 'The name set by `CLIENT SETNAME`.',
  'client|setname': 'Kept by evalgate; nodes do not see it.',
  'client|setinfo': 'Kept by evalgate; nodes do not see it.',
  'client|info': 'As `CLIENT LIST`, of this client.',
  'client|list':
    'The fields of Redis in its order. `cmd`, `age`, `idle`, `qbuf`, `obl` and `omem` are what evalgate sees, `fd`, `rbs`, `rbp` and the like are 0 or -1. Only clients of this evalgate: others, and clients of the nodes, are not in it; nor is any client of type `master` or `replica`.',
  'client|kill':
    "Ends clients of this evalgate. By address, or with `ID`, `TYPE`, `ADDR`, `LADDR`, `USER`, `SKIPME`. What a node has already got of a killed client's requests may still run. A `USER` that does not exist gives 0, not an error.",
  'client|pause':
    'Requests of all clients of this evalgate wait, after `WRITE` those that may write: write commands, EVAL, EVALSHA, FCALL, EXEC, PUBLISH, SPUBLISH, PFCOUNT. What was sent before goes on; nodes and other evalgates are not told, and blocked clients that are served meanwhile get their reply. Other than in Redis, `CLIENT` itself never waits, so that `CLIENT UNPAUSE` always works.',
  'client|unpause': 'Ends the pause at once.',
  'client|unblock':
    "1 if that client waits in a blocking command, `WAIT` or `WAITAOF`, else 0. The nodes end it, as that client's user: if its ACL does not allow CLIENT ID and CLIENT UNBLOCK, it goes on.",
  'client|reply': '`ON`, `OFF`, `SKIP`, as in Redis, in pipelines too. Nodes reply all the same; evalgate drops it.',
  'client|no-evict': 'OK, without effect: evalgate does not evict clients.',
  'client|no-touch': 'OK, without effect: nodes do not know of it, so keys count as used.',
  'client|tracking':
    '`ON` is refused: nodes would have to tell evalgate which keys changed for which client. `OFF` is OK.',
  'client|trackinginfo': 'Off.',
  'client|getredir': '-1: tracking is off.',
  'client|caching': "Redis's error: tracking is off.",

  'cluster|slots': 'One node with the slots 0 to 16383.',
  'cluster|shards': 'One shard with the slots 0 to 16383 and one node.',
  'cluster|nodes': 'One line. The bus port in it is 0: there is none.',
  'cluster|info':
    '`cluster_state:ok` when every slot has a master that evalgate knows, else `fail`, and how many slots have one. One known node, size 1.',
  'cluster|keyslot': 'Computed by evalgate, as the servers do.',
  'cluster|myid': 'Made of the address, so it is the same after a restart; 40 hexadecimal digits.',
  'cluster|myshardid': 'As `CLUSTER MYID`, another one.',
  'cluster|links': 'Empty.',
  'cluster|count-failure-reports': '0 for the id of `CLUSTER MYID`; any other node is unknown.',
  'cluster|replicas': 'Empty for the id of `CLUSTER MYID`; any other node is unknown.',
  'cluster|slaves': 'As `CLUSTER REPLICAS`.',
  'cluster|countkeysinslot': 'Asked of the master of that slot.',
  'cluster|getkeysinslot': 'Asked of the master of that slot.',

  eval: 'The script is known from then on, for every client. From its second use on a node it goes there as EVALSHA (`scripting.eval_to_evalsha`).',
  eval_ro: 'As EVAL; a script that names a write command is refused before it is sent.',
  evalsha:
    'Upper and lower case are the same. A script that evalgate knows does not get NOSCRIPT; for one that nobody knows the NOSCRIPT is that of the node.',
  evalsha_ro: 'As EVALSHA; a known script that names a write command is refused before it is sent.',
  fcall:
    'Keys of several slots are refused; all else is judged by the node. Without keys: to any master. A master that lacks a function which another has gets its library, and runs the call.',
  fcall_ro: 'As FCALL; goes to a master, too.',
  'function|kill': 'As `SCRIPT KILL`.',
  'function|stats':
    'Asked of every master, over connections that carry nothing else. The reply of the one that runs a function, or the BUSY of one that runs a script; else of the first.',
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
