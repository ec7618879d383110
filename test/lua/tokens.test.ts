import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TokenScanner } from '../../src/lua/tokens.ts';

function tokensOf(text: string): string[] {
  const scanner = new TokenScanner(text);
  const tokens: string[] = [];
  while (scanner.next()) tokens.push(`${scanner.kind[0]}:${text.slice(scanner.start, scanner.end)}`);
  return tokens;
}

describe('TokenScanner', () => {
  const cases: readonly (readonly [text: string, ...tokens: string[]])[] = [
    [''],
    [' \t\r\n'],
    ['-- comment'],
    ['--[[ long\n]] x', 'n:x'],
    ['--[==[ ]] ]==] x', 'n:x'],
    ['--[= short\nx', 'n:x'],
    ['--[[ open'],
    ["a='it\\'s'", 'n:a', 's:=', "s:'it\\'s'"],
    ["'open\nx", "s:'open", 'n:x'],
    ["'open\\", "s:'open\\"],
    ['[[a]]b[=[c]=]', 's:[[a]]', 'n:b', 's:[=[c]=]'],
    ['[=x', 's:[', 's:=', 'n:x'],
    ['[[open', 's:[[open'],
    ['a.b(1)', 'n:a', 's:.', 'n:b', 's:(', 'n:1', 's:)'],
    ['\0\xff', 's:\0', 's:\xff'],
  ];
  for (const [text, ...tokens] of cases) it(JSON.stringify(text), () => assert.deepEqual(tokensOf(text), tokens));
});
