/**
 * What a command is, as the server's own `COMMAND` tells it: arity, flags, where its keys stand, and the tips that
 * tell a proxy where to send it and how to merge the replies.
 *
 * Specs are values: they come from the generated table, from a live `COMMAND` reply, or from an override row.
 */

/** Where the search for keys begins. `option` is ours, for SORT: a word among options that take arguments. */
export type BeginSearch =
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'keyword'; readonly keyword: string; readonly startFrom: number }
  | {
      readonly kind: 'option';
      readonly keyword: string;
      readonly startFrom: number;
      /** How many arguments each other option takes. */
      readonly skip: Readonly<Record<string, number>>;
    };

/** How the keys follow from there. */
export type FindKeys =
  | { readonly kind: 'range'; readonly lastKey: number; readonly keyStep: number; readonly limit: number }
  | { readonly kind: 'keynum'; readonly keyNumIndex: number; readonly firstKey: number; readonly keyStep: number };

/** One key specification (https://redis.io/docs/latest/develop/reference/key-specs/); unknown ones are left out. */
export interface KeySpec {
  readonly begin: BeginSearch;
  readonly find: FindKeys;
  /** Flags of the key specification in lower case: ro, rw, ow, rm, access, update, insert, delete, not_key … */
  readonly flags: readonly string[];
}

export type RequestPolicy = 'none' | 'all_nodes' | 'all_shards' | 'multi_shard' | 'special';

export type ResponsePolicy =
  | 'none'
  | 'one_succeeded'
  | 'all_succeeded'
  | 'agg_logical_and'
  | 'agg_logical_or'
  | 'agg_min'
  | 'agg_max'
  | 'agg_sum'
  | 'special';

/** A command or, with a `container|sub` name, a subcommand. */
export interface CommandSpec {
  /** Lower case; `config|set` for a subcommand. */
  readonly name: string;
  /** Number of arguments, the name (and the container's) included; negative: at least so many. */
  readonly arity: number;
  /** Flags as `COMMAND` gives them: readonly, write, noscript, blocking, movablekeys, no_mandatory_keys … */
  readonly flags: readonly string[];
  readonly keySpecs: readonly KeySpec[];
  readonly requestPolicy: RequestPolicy;
  readonly responsePolicy: ResponsePolicy;
  readonly subcommands: readonly CommandSpec[];
}
