/**
 * Commands that concern the client's own connection, which ends here: the session answers them itself.
 */
import type { Command } from '../command/table.ts';
import { encodeBulk, OK, PONG } from '../resp/encode.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import { encodeSubscriberPong } from '../resp/pubsub-frame.ts';
import type { Request } from '../resp/request.ts';
import { runClient } from './client-commands.ts';
import { runCluster } from './cluster-commands.ts';
import { runLoginCommand } from './login-commands.ts';
import { isPermitted } from './permission.ts';
import type { Session } from './session.ts';
import { runSlowlog } from './slowlog-command.ts';

export function runLocal(session: Session, command: Command, request: Request): void {
  if (!isPermitted(session, command, request)) return;
  if (command.handling === 'client') return runClient(session, command, request);
  if (command.handling === 'cluster') return runCluster(session, command, request);
  switch (command.name) {
    case 'ping':
      return session.reply(ping(session, command, request));
    case 'echo':
      return session.reply(encodeBulk(request.argCopy(1)));
    case 'auth':
    case 'hello':
    case 'reset':
      return runLoginCommand(session, command.name, request);
    case 'quit':
      session.reply(OK);
      return session.close();
    case 'slowlog|get':
    case 'slowlog|len':
    case 'slowlog|reset':
      return runSlowlog(session, command, request);
    default:
      return session.reply(OK);
  }
}

function ping(session: Session, command: Command, request: Request): Buffer {
  if (request.argc > 2) return errorLine(REDIS.arity(command.name));
  const argument = request.argc === 2 ? request.argView(1) : Buffer.alloc(0);
  if (session.dispatcher.subscriptions?.isSubscriberMode) return encodeSubscriberPong(argument);
  return request.argc === 2 ? encodeBulk(request.argCopy(1)) : PONG;
}
