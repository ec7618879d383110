/**
 * Which clients CLIENT KILL and CLIENT LIST are about: the filters of Redis 7.0, with its texts for what makes no
 * sense. A filter that is not given matches every client.
 */
import { formatAddress } from '../cluster/topology.ts';
import { REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Session } from './session.ts';

export type ClientType = 'normal' | 'master' | 'replica' | 'pubsub';

export interface ClientFilter {
  id: number | undefined;
  type: ClientType | undefined;
  address: string | undefined;
  localAddress: string | undefined;
  user: string | undefined;
  /** Leaves out the client that asks. */
  skipMe: boolean;
}

/** A filter, or the text of the error. */
export type Parsed<T> = { readonly value: T } | { readonly error: string };

type Option = (filter: ClientFilter, request: Request, index: number) => string | undefined;

const OPTIONS: Readonly<Record<string, Option>> = {
  id: (filter, request, index) => {
    filter.id = request.integerAt(index);
    return filter.id > 0 ? undefined : REDIS.clientIdNotPositive;
  },
  type: (filter, request, index) => {
    filter.type = clientTypeOf(request.argText(index));
    return filter.type === undefined ? REDIS.unknownClientType(request.argText(index)) : undefined;
  },
  addr: (filter, request, index) => {
    filter.address = request.argText(index);
    return undefined;
  },
  laddr: (filter, request, index) => {
    filter.localAddress = request.argText(index);
    return undefined;
  },
  user: (filter, request, index) => {
    filter.user = request.argText(index);
    return undefined;
  },
  skipme: (filter, request, index) => {
    filter.skipMe = request.isWord(index, 'yes');
    return filter.skipMe || request.isWord(index, 'no') ? undefined : REDIS.syntax;
  },
};

/** The filters of `CLIENT KILL`: an address alone, or options, each with a value. */
export function killFilter(request: Request): Parsed<ClientFilter> {
  const filter: ClientFilter = {
    id: undefined,
    type: undefined,
    address: undefined,
    localAddress: undefined,
    user: undefined,
    skipMe: true,
  };
  if (request.argc === 3) return { value: { ...filter, address: request.argText(2), skipMe: false } };
  for (let i = 2; i < request.argc; i += 2) {
    const name = request.argText(i).toLowerCase();
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (option === undefined || i + 1 >= request.argc) return { error: REDIS.syntax };
    const error = option(filter, request, i + 1);
    if (error !== undefined) return { error };
  }
  return { value: filter };
}

/** The type of clients that a word names; undefined for none. */
export function clientTypeOf(text: string): ClientType | undefined {
  const word = text.toLowerCase();
  if (word === 'slave') return 'replica';
  return word === 'normal' || word === 'master' || word === 'replica' || word === 'pubsub' ? word : undefined;
}

/** What a client is: never a server of a replication. */
export function typeOf({ dispatcher }: Session): ClientType {
  return dispatcher.subscriptions?.isSubscribed ? 'pubsub' : 'normal';
}

export function matches(session: Session, filter: ClientFilter): boolean {
  const { client } = session;
  const { host, port } = client.local;
  return (
    fits(filter.id, client.id) &&
    fits(filter.type, typeOf(session)) &&
    fits(filter.address, client.address) &&
    fits(filter.localAddress, formatAddress(host, port)) &&
    fits(filter.user, client.user)
  );
}

function fits<T>(wanted: T | undefined, actual: T): boolean {
  return wanted === undefined || wanted === actual;
}
