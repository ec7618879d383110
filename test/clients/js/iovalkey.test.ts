/** iovalkey, the Valkey descendant of ioredis 5: RESP2. */
import { Cluster, Redis } from 'iovalkey';
import { describeIoLibrary, type IoLibrary } from './support/io-suite.ts';

describeIoLibrary({
  name: 'iovalkey',
  Redis: Redis as unknown as IoLibrary['Redis'],
  Cluster: Cluster as unknown as IoLibrary['Cluster'],
  variants: { RESP2: {} },
});
