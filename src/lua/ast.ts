/**
 * The syntax tree of a script: luaparse's nodes, with what its type declarations leave out, and the two places where
 * the tree of an accepted script can be deep though Lua's own parser does not recurse (left operands, call chains).
 *
 * Strings are latin1: one character a byte of the body, so a node's range is its byte range. Parentheses leave no
 * node: `('GET')` is the literal, `(redis.call)(…)` the call.
 */
import type * as lua from 'luaparse';

export type Expression = lua.Expression;
export type Statement = lua.Statement;
export type Chunk = lua.Chunk;
export type FunctionNode = lua.FunctionDeclaration;
export type CallNode = lua.CallExpression | lua.TableCallExpression | lua.StringCallExpression;
export type BinaryNode = lua.BinaryExpression | lua.LogicalExpression;
export type IndexNode = lua.IndexExpression | lua.MemberExpression;
export type TableNode = lua.TableConstructorExpression;

/** Index of the node's first byte in the body. */
export function startOf(node: lua.Node): number {
  return (node as unknown as { readonly range: readonly [number, number] }).range[0];
}

export function isCall(node: Expression): node is CallNode {
  return node.type === 'CallExpression' || node.type === 'TableCallExpression' || node.type === 'StringCallExpression';
}

export function isBinary(node: Expression): node is BinaryNode {
  return node.type === 'BinaryExpression' || node.type === 'LogicalExpression';
}

export function isIndex(node: Expression): node is IndexNode {
  return node.type === 'MemberExpression' || node.type === 'IndexExpression';
}

/** The arguments of a call, however it is written: `f(a, b)`, `f'a'`, `f{…}`. */
export function argumentsOf(call: CallNode): readonly Expression[] {
  if (call.type === 'CallExpression') return call.arguments;
  return [call.type === 'StringCallExpression' ? call.argument : call.arguments];
}
