/**
 * The hash slot of a key: CRC16 (XMODEM) of its hash tag, or of the whole key, modulo 16384
 * (`keyHashSlot` in Redis's cluster.c).
 *
 * Written here, over offsets, because `cluster-key-slot` wants a view for every key and differs from the servers for
 * keys like `{}a}b`: there Redis hashes the whole key, the library hashes `a`. The tests hold both against a server.
 */

export const SLOT_COUNT = 16384;

const CRC16 = crcTable();

/** The slot of the key in bytes [start, end). */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let from = start;
  let to = end;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== 0x7b) continue;
    let close = i + 1;
    while (close < end && bytes[close] !== 0x7d) close++;
    if (close < end && close > i + 1) {
      from = i + 1;
      to = close;
    }
    break;
  }
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) & 0xffff) ^ (CRC16[(crc >> 8) ^ (bytes[i] as number)] as number);
  }
  return crc & 0x3fff;
}

function crcTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    table[byte] = crc;
  }
  return table;
}
