import { describe } from 'node:test';
import { MapStore, Place, storeContract } from '../../support/store-contract.ts';

describe('MapStore, the model of the others', () => {
  storeContract(async () => new MapStore(new Place()));
});
