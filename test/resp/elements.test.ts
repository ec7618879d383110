import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { elementsOf, isAggregate, isNull, textOf, typeOf } from '../../src/resp/elements.ts';

/** Frames are written with blanks for line ends, and without the last one. */
function frame(text: string): Buffer {
  return Buffer.from(`${text.replaceAll(' ', '\r\n')}\r\n`);
}

describe('elementsOf', () => {
  const cases: [text: string, elements: string[]][] = [
    ['*3 :1 *1 $1 a -ERR', [':1', '*1 $1 a', '-ERR']],
    ['*0', []],
    ['*-1', []],
    ['_', []],
    [':1', []],
    ['$2 *1', []],
    ['~2 #t ,1.5', ['#t', ',1.5']],
    ['%2 +a %1 +b :1 +c _', ['+a', '%1 +b :1', '+c', '_']],
    ['>2 +message $1 x', ['+message', '$1 x']],
    ['|1 +ttl *2 :1 :2 *2 (12345678901234567890 =5 txt:a', ['(12345678901234567890', '=5 txt:a']],
    ['|0 |1 +a +b *1 :1', [':1']],
    ['*2 |1 +a +b :1 !3 ERR', ['|1 +a +b :1', '!3 ERR']],
    ['*? :1 *? :2 . $? ;1 a ;0 .', [':1', '*? :2 .', '$? ;1 a ;0']],
  ];
  for (const [text, elements] of cases) {
    it(`elementsOf ${text} are ${elements.join(' | ') || 'none'}`, () => {
      assert.deepEqual(
        elementsOf(frame(text)).map(String),
        elements.map((element) => frame(element).toString()),
      );
    });
  }
});

describe('typeOf, isAggregate, isNull', () => {
  const cases: [text: string, type: string, isAggregate: boolean, isNull: boolean][] = [
    ['*1 :1', '*', true, false],
    ['*-1', '*', true, true],
    ['$-1', '$', false, true],
    ['$2 -1', '$', false, false],
    ['_', '_', false, true],
    [':-1', ':', false, false],
    ['|1 +a +b ~1 :1', '~', true, false],
    ['|1 +a +b _', '_', false, true],
  ];
  for (const [text, type, aggregate, nothing] of cases) {
    it(`${text} is of type ${type}`, () => {
      assert.equal(String.fromCharCode(typeOf(frame(text))), type);
      assert.deepEqual([isAggregate(frame(text)), isNull(frame(text))], [aggregate, nothing]);
    });
  }

  it('an empty frame has no type', () => assert.equal(Number.isNaN(typeOf(Buffer.alloc(0))), true));
});

describe('textOf', () => {
  const cases: [text: string, value: string][] = [
    ['$3 abc', 'abc'],
    ['$-1', ''],
    ['+OK', 'OK'],
    [':12', '12'],
    ['=5 txt:a', 'a'],
    ['|1 +a +b ,1.5', '1.5'],
    ['-ERR', 'ERR'],
  ];
  for (const [text, value] of cases) it(`textOf ${text} is ${value}`, () => assert.equal(textOf(frame(text)), value));
});
