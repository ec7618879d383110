/** What a proxy gets from the process that it works for, when it is one of several (`workers`). */
import type { Numbering } from '../../base/numbering.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { Siblings } from '../../session/siblings.ts';
import type { ScriptStore } from '../stores/script-store.ts';

export interface Crew {
  /** Where clients connect, who are then handed to it. */
  readonly address: ListenAddress;
  /** How it numbers its clients, so that no other gives out the same ids. */
  readonly numbering: Numbering;
  readonly siblings: Siblings;
  /** Does what is to be done once, and not by every worker. */
  readonly isFirst: boolean;
  /** The store that the config names, so that what one worker learns all know; undefined: the config names none. */
  shareStore(configured: ScriptStore | undefined): ScriptStore;
}
