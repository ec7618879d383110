/**
 * Totals over all sessions: plain number fields, because counting on the hot path must cost nothing.
 */
export class Counters {
  clients = 0;
  clientsTotal = 0;
  clientsRefused = 0;
  clientsStalled = 0;
  /** By CLIENT KILL. */
  clientsKilled = 0;
  requests = 0;
  protocolErrors = 0;
  /** Calls that went up with their body although the client sent a sha: NOSCRIPT that never happened. */
  noscriptPrevented = 0;
  noscriptHealed = 0;
  /** Calls of functions that their node lacked and was given. */
  functionsHealed = 0;
  /** Bytes of bodies that clients sent with EVAL and nodes did not have to read. */
  evalBytesSaved = 0;
  /** Nodes to which the connection was lost, and those to which there is one again. */
  disconnects = 0;
  reconnects = 0;
  /** Reads that went to a replica, and those of them that the primary had to answer after all. */
  replicaReads = 0;
  replicaFallbacks = 0;
  redirects = 0;
  retries = 0;
  witnesses = 0;
  forgedReplies = 0;
  failures = 0;
  /** Requests that wait for a repair, all clients together. */
  waiting = 0;
  /** Bytes of open transactions that are kept, all clients together. */
  keptBytes = 0;
  /** Messages of pub/sub passed on. */
  messages = 0;
  /** Clients closed because they did not read their messages. */
  subscribersCut = 0;
  /** Connections for subscriptions that were lost; what they carried was placed anew. */
  feedsLost = 0;
  /** What the names of all subscriptions cost. */
  subscriptionBytes = 0;
  /** Bytes buffered for all clients together. */
  bufferedBytes = 0;
}
