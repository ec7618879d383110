/** ioredis in both protocols; its default is RESP3. */
import { Cluster, Redis } from 'ioredis';
import { describeIoLibrary } from './support/io-suite.ts';

describeIoLibrary({ name: 'ioredis', Redis, Cluster, variants: { RESP3: {}, RESP2: { protocol: 2 } } });
