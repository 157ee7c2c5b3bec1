import { describe, expect, it } from 'vitest';
import { decodeConfig, storeAddress } from './index.ts';

describe('the address of a store', () => {
  it('is a folder or a database', () => {
    expect(storeAddress('lmdb:./.tutti')).toEqual({ kind: 'lmdb', folder: './.tutti' });
    for (const url of ['postgres://tutti@db/tutti', 'postgresql:///tutti?host=/run/postgresql'])
      expect(storeAddress(url)).toEqual({ kind: 'postgres', url });
  });

  it.each(['mysql://u:secret@db/tutti', 'lmdb:', 'postgres:tutti', './.tutti', ''])('is not %j', (store) => {
    const tasks = [{ name: 'films', catalogue: { ids: ['a'] } }];
    expect(() => storeAddress(store)).toThrow('lmdb:FOLDER or postgres://');
    expect(() => decodeConfig({ store, tasks })).toThrow('store: lmdb:FOLDER or postgres://');
    expect(() => decodeConfig({ store, tasks })).not.toThrow('secret');
  });
});
