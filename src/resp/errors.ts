/**
 * Every error text that evalgate itself puts on the wire, in one table. Texts are an interface: users match on them.
 * Redis's and Tair's texts are verbatim; those of our own begin with `ERR evalgate: ` and say what, where, and what
 * the client may assume. A text carries neither the leading `-` nor the final CRLF; `errorLine` adds both.
 */

const BAD_LUA = 'ERR bad lua script for redis cluster, ';

/** Texts of Redis itself (source: server.c, networking.c, eval.c, cluster.c of 7.0). */
export const REDIS = {
  arity: (command: string) => `ERR wrong number of arguments for '${command}' command`,
  crossSlot: "CROSSSLOT Keys in request don't hash to the same slot",
  select: 'ERR SELECT is not allowed in cluster mode',
  notAnInteger: 'ERR value is not an integer or out of range',
  tooManyKeys: "ERR Number of keys can't be greater than number of args",
  negativeKeys: "ERR Number of keys can't be negative",
  maxClients: 'ERR max number of clients reached',
  unsupportedProtocol: 'NOPROTO unsupported protocol version',
  protocolNotAnInteger: 'ERR Protocol version is not an integer or out of range',
  invalidCursor: 'ERR invalid cursor',
  clientNameInvalid: 'ERR Client names cannot contain spaces, newlines or special characters.',
  nestedMulti: 'ERR MULTI calls can not be nested',
  watchInMulti: 'ERR WATCH inside MULTI is not allowed',
  execWithoutMulti: 'ERR EXEC without MULTI',
  discardWithoutMulti: 'ERR DISCARD without MULTI',
  execAbort: 'EXECABORT Transaction discarded because of previous errors.',
  execAbortBecause: (reason: string) => `EXECABORT Transaction discarded because of: ${reason}`,
  noauth: 'NOAUTH Authentication required.',
  noauthHello:
    'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
  unblocked: 'UNBLOCKED client unblocked via CLIENT UNBLOCK',
  wrongPassword: 'WRONGPASS invalid username-password pair or user is disabled.',
  noPermission: (user: string, command: string) =>
    `NOPERM User ${user} has no permissions to run the '${command}' command`,
  unknownCommand: (name: string, args: string) => `ERR unknown command '${name}', with args beginning with: ${args}`,
  subscribed: (command: string) =>
    `ERR Can't execute '${command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
  slowlogCount: 'ERR count should be greater than or equal to -1',
  slowlogSyntax: "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.",
  helloSyntax: (option: string) => `ERR Syntax error in HELLO option '${option}'`,
  syntax: 'ERR syntax error',
  unknownSubcommand: (subcommand: string, container: string) =>
    `ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try ${container} HELP.`,
  wrongSubcommand: (subcommand: string, container: string) =>
    `ERR unknown subcommand or wrong number of arguments for '${subcommand.slice(0, 128)}'. Try ${container} HELP.`,
  noSuchClient: 'ERR No such client',
  invalidClientId: 'ERR Invalid client ID',
  clientIdNotPositive: 'ERR client-id should be greater than 0',
  unknownClientType: (type: string) => `ERR Unknown client type '${type}'`,
  timeoutNotAnInteger: 'ERR timeout is not an integer or out of range',
  timeoutNegative: 'ERR timeout is negative',
  pauseMode: 'ERR CLIENT PAUSE mode must be WRITE or ALL',
  unblockReason: 'ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR',
  cachingWithoutTracking:
    'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
  unknownNode: (id: string) => `ERR Unknown node ${id}`,
} as const;

/** Protocol errors of Redis (networking.c): the client is closed after them. */
export const PROTOCOL = {
  invalidMultibulkLength: 'ERR Protocol error: invalid multibulk length',
  invalidBulkLength: 'ERR Protocol error: invalid bulk length',
  expectedDollar: (got: string) => `ERR Protocol error: expected '$', got '${got}'`,
  tooBigMbulkCount: 'ERR Protocol error: too big mbulk count string',
  tooBigBulkCount: 'ERR Protocol error: too big bulk count string',
  tooBigInline: 'ERR Protocol error: too big inline request',
  unbalancedQuotes: 'ERR Protocol error: unbalanced quotes in request',
  unauthenticatedMultibulk: 'ERR Protocol error: unauthenticated multibulk length',
  unauthenticatedBulk: 'ERR Protocol error: unauthenticated bulk length',
  bulkNotTerminated: 'ERR Protocol error: expected CRLF after bulk',
  tlsNotSpoken: 'ERR evalgate: this port does not speak TLS (listen.tls is not set)',
  requestTooLarge: (maxBytes: number) => `ERR evalgate: request larger than max_request_bytes (${maxBytes})`,
} as const;

/** Texts of Tair's proxy, verbatim, in the order of its documentation page. */
export const TAIR = {
  keyless: "ERR for redis cluster, eval/evalsha number of keys can't be negative or zero",
  sameSlot: (command: string) => `ERR '${command}' command keys must in same slot`,
  notInMulti: (command: string) => `ERR '${command}' command is not supported in MULTI/EXEC transactions`,
  scriptDebug: 'ERR script debug not support',
} as const;

/** Texts of the Lua checks; the ids are those of the rules (docs/rules.md). */
export const LUA = {
  nested: `${BAD_LUA}nested redis.call/redis.pcall`,
  literal: `${BAD_LUA}first parameter of redis.call/pcall must be a single literal string`,
  parenthesis: `${BAD_LUA}redis.call/pcall expect '('`,
  incomplete: `${BAD_LUA}redis.call/redis.pcall definition is not complete, expect ')'`,
  unknownCommand: (name: string) => `${BAD_LUA}redis.call/pcall unkown redis command ${name}`,
  unpack: `${BAD_LUA}unpack is not supported`,
  keysArray: `${BAD_LUA}all the keys that the script uses should be passed using the KEYS array`,
  zstoreKeys: `${BAD_LUA}all the keys that the script uses should be passed using the KEYS array, include destination, and KEYS should not be in expression`,
  zstoreNumkeysLiteral: `${BAD_LUA}ZUNIONSTORE/ZINTERSTORE numkeys parameter should be a single number and not expression`,
  zstoreNumkeysInteger: `${BAD_LUA}ZUNIONSTORE/ZINTERSTORE numkeys value is not an integer or out of range`,
  zstoreNoKeys: `${BAD_LUA}at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE`,
  zstoreFewKeys: `${BAD_LUA}ZUNIONSTORE/ZINTERSTORE key count < numkeys`,
  zstoreSourceKeys: `${BAD_LUA}ZUNIONSTORE/ZINTERSTORE all the keys that the script uses should be passed using the KEYS array`,
  xreadSyntax: `${BAD_LUA}xread/xreadgroup command syntax error`,
  xreadNoStreams: `${BAD_LUA}xread/xreadgroup command syntax error, streams must be specified`,
  xreadKeys: `${BAD_LUA}XREAD/XREADGROUP all the keys that the script uses should be passed using the KEYS array`,
  sortSyntax: `${BAD_LUA}sort command syntax error`,
  sortKeys: `${BAD_LUA}all the keys that the script uses should be passed using the KEYS array, and KEYS should not be in expression, sort command store key does not meet the requirements`,
  writeWithoutPrivilege: 'ERR bad write command in no write privilege',
  writeInReadOnlyScript: 'ERR Write commands are not allowed from read-only scripts',
  /** Ours, profile `safe`. */
  keyNeedsTag: (line: number, part: string) =>
    `${BAD_LUA}line ${line} builds a key from ${part}, which needs a hash tag {…} to stay in its slot`,
} as const;

/** Texts of our own. */
export const EVALGATE = {
  notSupported: (command: string, why = '') =>
    `ERR evalgate: '${command}' is not supported${why === '' ? '' : `: ${why}`}`,
  notInMulti: (command: string) => `ERR evalgate: '${command}' is not supported inside MULTI`,
  transactionNotKept: (node: string, limit: number) =>
    `ERR evalgate: ${node} no longer takes the transaction, which is too large to be moved (limits.in_flight_bytes_per_client, ${limit}), it did not run`,
  lost: (node: string) =>
    `ERR evalgate: connection to ${node} lost before the reply, the command may have run or may still run`,
  silent: (node: string, reason: string) =>
    `ERR evalgate: ${node} ${reason}, the command may have run or may still run`,
  desynchronized: (node: string) =>
    `ERR evalgate: ${node} sent bytes that are no reply, the command may have run or may still run`,
  notSent: (node: string, reason: string) =>
    `ERR evalgate: no connection to ${node} (${reason}), the command did not run`,
  loginRefused: (node: string, reason: string) =>
    `NOAUTH evalgate: no connection to ${node} (${reason}), the command did not run`,
  noPrimary: (slot: number, ms: number) =>
    `CLUSTERDOWN evalgate: no primary for slot ${slot} within ${ms} ms, the command did not run`,
  noTopology: 'CLUSTERDOWN evalgate: no node of the cluster answers, the command did not run',
  tooManyRedirects: (hops: number) =>
    `ERR evalgate: more than ${hops} redirects (limits.redirects), the command did not run`,
  tooManyWaiting: (limit: number) =>
    `CLUSTERDOWN evalgate: more than ${limit} requests wait for a primary (limits.waiting_requests), the command did not run`,
  tooManyDedicated: (node: string, limit: number) =>
    `ERR evalgate: more than ${limit} connections to ${node} wait (cluster.dedicated_per_node), the command did not run`,
  tooManySubscriptions: (limit: number, key: string) =>
    `ERR evalgate: subscriptions take more than ${limit} bytes (${key}), the command did not run`,
  replyTooLarge: (node: string, reason: string) =>
    `ERR evalgate: ${node} sent ${reason} (limits.buffered_bytes), the command ran or may still run`,
  replicasUnknown: (node: string, reason: string) =>
    `ERR evalgate: ${node} did not tell how far its replicas are (${reason}), what was written may have reached them or not`,
  nameTooLong: (limit: number) => `ERR evalgate: a name longer than ${limit} bytes`,
  tooManyUsers: 'ERR evalgate: too many users are logged in at a time (1000), the login was not used',
  registryFull: 'ERR evalgate: script registry is full (registry_max_bytes)',
  notFlushed: (nodes: string) =>
    `ERR evalgate: SCRIPT FLUSH did not reach ${nodes}, flushed when back; all other nodes are flushed`,
  scanShards: 'ERR evalgate: cursor of the node is beyond 2^54, SCAN over this cluster is not possible',
  merge: (command: string) => `ERR evalgate: the nodes' replies to '${command}' cannot be merged, the command ran`,
  partFailed: ', other parts may have run',
} as const;

/**
 * An error reply: the text as one line with `-` before and CRLF behind. Characters up to U+00FF are bytes as they came
 * from a client or a script, those beyond are written as UTF-8; line breaks become blanks.
 */
export function errorLine(text: string): Buffer {
  const bytes = text
    .replaceAll(/[\r\n]/g, ' ')
    .replaceAll(/[\u0100-\uffff]+/g, (beyond) => Buffer.from(beyond, 'utf8').toString('latin1'));
  return Buffer.from(`-${bytes}\r\n`, 'latin1');
}

/** An error line with more text at its end. */
export function withSuffix(line: Buffer, suffix: string): Buffer {
  return Buffer.concat([line.subarray(0, line.length - 2), Buffer.from(`${suffix}\r\n`)]);
}
