/**
 * The functions of Lua and Redis as the interpreter knows them, by full name. One that is not here may do anything with
 * the functions it is given, and its results are unknown.
 */
import type { Caller, Expressions } from './expressions.ts';
import type { FieldKey, TableValue } from './table-value.ts';
import { literalText } from './template.ts';
import {
  certainLiteral,
  certainNumber,
  concatenated,
  elementsOf,
  list,
  listFrom,
  NO_VALUES,
  NOTHING,
  numberValue,
  text,
  UNKNOWN,
  UNKNOWN_LIST,
  union,
  unionOfLists,
  type Value,
  type ValueList,
  valueAt,
  valuesOf,
} from './value.ts';

export interface NativeCall {
  readonly expressions: Expressions;
  readonly caller: Caller;
}

type Native = (args: ValueList, call: NativeCall) => ValueList;

const NATIVES: ReadonlyMap<string, Native> = new Map<string, Native>([
  ['redis.call', callCommand],
  ['redis.pcall', callCommand],
  ['pcall', protectedCall],
  ['xpcall', protectedCall],
  ['assert', (args) => args],
  ['ipairs', (args) => iterator(valueAt(args, 0), UNKNOWN)],
  ['pairs', (args) => iterator(valueAt(args, 0), namesIn(valueAt(args, 0)))],
  ['next', (args) => list(UNKNOWN, elementsOf(valueAt(args, 0)))],
  ['rawset', assignRaw],
  ['select', select],
  ['setmetatable', setMetatable],
  ['string.format', format],
  ['table.concat', joined],
  ['table.insert', insert],
  ['table.remove', (args, call) => shuffled(args, call, elementsOf(valueAt(args, 0)))],
  ['table.sort', (args, call) => shuffled(args, call, NOTHING)],
  ['table.unpack', unpack],
  ['tonumber', (args) => list(toNumber(valueAt(args, 0)))],
  ['tostring', (args) => list(concatenated(text(literalText('')), valueAt(args, 0)))],
  ['unpack', unpack],
]);

/** The results of a call of a native function; an unknown name stands for an unknown function. */
export function callNative(name: string, args: ValueList, call: NativeCall): ValueList {
  return (NATIVES.get(name) ?? unknownCall)(args, call);
}

/** Whatever is called with them: functions of the script run, with anything for arguments. */
function unknownCall(args: ValueList, { expressions, caller }: NativeCall): ValueList {
  for (const one of valuesOf(args)) {
    if (one.kind === 'function') expressions.call([one], UNKNOWN_LIST, caller);
    if (one.kind === 'native' && isCommandFunction(one.name)) expressions.run.isIncomplete = true;
  }
  return UNKNOWN_LIST;
}

function isCommandFunction(name: string): boolean {
  return name === 'redis' || name === 'redis.call' || name === 'redis.pcall';
}

function callCommand(args: ValueList, { expressions, caller }: NativeCall): ValueList {
  expressions.run.sink.onCommand(caller.node, args);
  return list(UNKNOWN);
}

function protectedCall(args: ValueList, { expressions, caller }: NativeCall): ValueList {
  const results = expressions.call(valueAt(args, 0), listFrom(args, 1), caller);
  return { values: [NOTHING, ...unionOfLists(results, list(UNKNOWN)).values], tail: results.tail };
}

function iterator(table: Value, keys: Value): ValueList {
  return list([{ kind: 'iterator', keys, elements: elementsOf(table) }]);
}

function namesIn(value: Value): Value {
  const all = value.map((one) => {
    const keys = one.kind === 'table' ? one.fieldKeys : undefined;
    return keys === undefined ? UNKNOWN : keys.map(keyValue).reduce(union, []);
  });
  return all.reduce(union, []);
}

function keyValue(key: FieldKey): Value {
  return typeof key === 'number' ? numberValue(key) : text(literalText(key));
}

function assignRaw(args: ValueList): ValueList {
  for (const one of tablesIn(valueAt(args, 0))) one.writeAny(valueAt(args, 2));
  return list(valueAt(args, 0));
}

function select(args: ValueList): ValueList {
  const from = certainNumber(valueAt(args, 0));
  return from !== undefined && from >= 1 ? listFrom(args, from) : list(union(UNKNOWN, valuesOf(listFrom(args, 1))));
}

/** A metatable can make any field of a table, or run at any time. */
function setMetatable(args: ValueList, call: NativeCall): ValueList {
  for (const one of tablesIn(valueAt(args, 0))) one.writeAny(UNKNOWN);
  unknownCall(list(elementsOf(valueAt(args, 1))), call);
  return list(valueAt(args, 0));
}

function insert(args: ValueList, call: NativeCall): ValueList {
  if (args.values.length > 2 || args.tail !== undefined) return shuffled(args, call, NOTHING);
  for (const one of tablesIn(valueAt(args, 0))) one.append(valueAt(args, 1));
  return NO_VALUES;
}

/** The elements move; what else is given may be among them now, or be called to compare them. */
function shuffled(args: ValueList, call: NativeCall, result: Value): ValueList {
  const given = listFrom(args, 1);
  for (const one of tablesIn(valueAt(args, 0))) {
    one.shuffle();
    one.writeAny(valuesOf(given));
  }
  unknownCall(given, call);
  return list(result);
}

function unpack(args: ValueList): ValueList {
  const [table, from, to] = args.values;
  if (table === undefined || args.tail !== undefined) return UNKNOWN_LIST;
  const first = from === undefined ? 1 : certainNumber(from);
  if (first === undefined || to !== undefined)
    return { values: [], tail: { value: elementsOf(table), argvFrom: undefined } };
  const lists = table.map((one) => (one.kind === 'table' ? one.unpacked(first) : UNKNOWN_LIST));
  return lists.reduce((all, one) => (all === NO_VALUES ? one : unionOfLists(all, one)), NO_VALUES);
}

function toNumber(value: Value): Value {
  const literal = certainLiteral(value);
  return literal !== undefined && /^\d{1,15}$/.test(literal) ? numberValue(Number(literal)) : UNKNOWN;
}

/** `%s` stands for its argument and everything else but `%%` is unknown. */
function format(args: ValueList): ValueList {
  const pattern = certainLiteral(valueAt(args, 0));
  if (pattern === undefined) return list(UNKNOWN);
  let result = text(literalText(''));
  let next = 1;
  for (const [piece] of pattern.matchAll(/[^%]+|%[^a-zA-Z%]*[a-zA-Z%]|%/g)) {
    if (piece === '%%') result = concatenated(result, text(literalText('%')));
    else if (!piece.startsWith('%')) result = concatenated(result, text(literalText(piece)));
    else result = concatenated(result, formatted(piece, valueAt(args, next++)));
  }
  return list(result);
}

function formatted(directive: string, value: Value): Value {
  return directive === '%s' || (directive === '%d' && certainNumber(value) !== undefined) ? value : UNKNOWN;
}

function joined(args: ValueList): ValueList {
  const [table = NOTHING, separator = text(literalText('')), ...range] = args.values;
  const all = table.map((one) => {
    const keys = one.kind === 'table' ? one.fieldKeys : undefined;
    if (one.kind !== 'table' || keys === undefined || range.length > 0) return UNKNOWN;
    const [first, ...others] = one.unpacked(1).values;
    return others.reduce(
      (sum, value) => concatenated(concatenated(sum, separator), value),
      first ?? text(literalText('')),
    );
  });
  return list(all.reduce(union, []));
}

function tablesIn(value: Value): TableValue[] {
  return value.filter((one) => one.kind === 'table');
}
