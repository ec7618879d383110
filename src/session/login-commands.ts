/**
 * AUTH, HELLO and RESET: they change as whom, and in which protocol, a client goes on. That waits until everything
 * before them is answered, and everything behind them waits until they are (C3d).
 */
import type { Protocol } from '../resp/encode.ts';
import { EMPTY_ARRAY, encodeBulk, encodeInteger, encodeMap, OK } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Access } from '../upstream/access.ts';
import { nameProblem, setName } from './client-commands.ts';
import type { Credentials, Outcome } from './logins.ts';
import type { Session } from './session.ts';

const RESET = Buffer.from('+RESET\r\n');

export function runLoginCommand(session: Session, name: 'auth' | 'hello' | 'reset', request: Request): void {
  if (session.inFlightCount > 0) return session.dispatchWhenIdle(request);
  switch (name) {
    case 'auth':
      return auth(session, request);
    case 'hello':
      return hello(session, request);
    case 'reset':
      logOut(session);
      return session.reply(RESET);
  }
}

/** Somebody else from now on, or another protocol; nothing is in flight. */
function goOnAs(session: Session, access: Access): void {
  session.client.protocol = access.protocol;
  const { identity } = session.standing;
  if (!session.standing.use(access)) return;
  session.dispatcher.use(access);
  if (access.identity !== identity) session.dispatcher.subscriptions?.onIdentity();
}

/** Nobody, in RESP2, without a name. */
function logOut(session: Session): void {
  session.client.reset();
  session.dispatcher.abandonTransaction();
  session.dispatcher.subscriptions?.discard();
  session.dispatcher.subscriptions = undefined;
  session.standing.account = undefined;
  session.client.user = 'default';
  goOnAs(session, session.runtime.identities.own.access(2));
}

/** AUTH [username] password. */
function auth(session: Session, request: Request): void {
  if (request.argc > 3) return session.reply(errorLine(REDIS.syntax));
  const username = request.argc === 3 ? request.argCopy(1) : undefined;
  const credentials = { username, password: request.argCopy(request.argc - 1) };
  attempt(session, credentials, () => {
    return OK;
  });
}

/** Logs in; `onAccepted` makes the reply, as the new one that the session then is. */
function attempt(session: Session, credentials: Credentials, onAccepted: () => Buffer): void {
  const { logins } = session.runtime;
  const exchange = session.dispatcher.newExchange(undefined, 0);
  session.expect(exchange);
  session.holdOthers(exchange);
  const finish = (outcome: Outcome): void => {
    if (outcome.kind === 'refused') return session.deliver(exchange, outcome.reply);
    session.standing.account = outcome.account;
    session.client.user = outcome.account?.username ?? outcome.identity.displayName;
    goOnAs(session, outcome.identity.access(session.standing.access.protocol));
    session.deliver(exchange, onAccepted());
  };
  logins
    .attempt(session.client.host, credentials)
    .then((outcome) => session.guard(() => finish(outcome)))
    .catch((error: unknown) => session.runtime.onFault(error));
}

interface Greeting {
  readonly protocol: Protocol;
  readonly credentials: Credentials | undefined;
  readonly name: Buffer | undefined;
}

/** HELLO [protocol [AUTH username password] [SETNAME name]]. */
function hello(session: Session, request: Request): void {
  const greeting = parseHello(session, request);
  if (Buffer.isBuffer(greeting)) return session.reply(greeting);
  const { credentials } = greeting;
  if (credentials !== undefined) return attempt(session, credentials, () => greet(session, greeting));
  if (!session.standing.isAdmitted) return session.reply(errorLine(REDIS.noauthHello));
  session.reply(greet(session, greeting));
}

/** Takes the protocol and the name, and tells what is here. */
function greet(session: Session, { protocol, name }: Greeting): Buffer {
  const { client, runtime } = session;
  const { access } = session.standing;
  if (name !== undefined) setName(session, name);
  goOnAs(session, access.identity.access(protocol));
  return encodeMap(protocol, [
    [encodeBulk('server'), encodeBulk(runtime.server.name)],
    [encodeBulk('version'), encodeBulk(runtime.server.version)],
    [encodeBulk('proto'), encodeInteger(protocol)],
    [encodeBulk('id'), encodeInteger(client.id)],
    [encodeBulk('mode'), encodeBulk('cluster')],
    [encodeBulk('role'), encodeBulk('master')],
    [encodeBulk('modules'), EMPTY_ARRAY],
  ]);
}

/** The greeting, or the error that is the reply. */
function parseHello(session: Session, request: Request): Greeting | Buffer {
  const protocol = request.argc > 1 ? request.integerAt(1) : session.standing.access.protocol;
  if (Number.isNaN(protocol)) return errorLine(REDIS.protocolNotAnInteger);
  if (protocol !== 2 && protocol !== 3) return errorLine(REDIS.unsupportedProtocol);
  let credentials: Credentials | undefined;
  let name: Buffer | undefined;
  for (let i = 2; i < request.argc; i++) {
    if (request.isWord(i, 'auth') && i + 2 < request.argc) {
      credentials = { username: request.argCopy(i + 1), password: request.argCopy(i + 2) };
      i += 2;
    } else if (request.isWord(i, 'setname') && i + 1 < request.argc) {
      name = request.argCopy(i + 1);
      i++;
    } else {
      return errorLine(REDIS.helloSyntax(request.argText(i)));
    }
  }
  const problem = name === undefined ? undefined : nameProblem(name);
  if (problem !== undefined) return errorLine(problem);
  return { protocol, credentials, name };
}
