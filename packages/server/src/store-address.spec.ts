import { describe, expect, it } from 'vitest';
import { decodeConfig, storeAddress } from './index.ts';

describe('the address of a store', () => {
  it('is a folder or a database', () => {
    expect(storeAddress('lmdb:./.tutti')).toEqual({ kind: 'lmdb', folder: './.tutti' });
    for (const url of ['postgres://tutti@db/tutti', 'postgresql:///tutti?host=/run/postgresql'])
      expect(storeAddress(url)).toEqual({ kind: 'postgres', url });
  });

  it('has a port that there is', () => {
    const tasks = [{ name: 'films', catalogue: { ids: ['a'] } }];
    for (const store of [
      'postgres://u:s3cret@db:99999/tutti',
      'postgres://db:0',
      'postgres://u:1@[::1]:65536?ssl=1',
    ]) {
      expect(() => storeAddress(store)).toThrow('from 1 to 65535');
      expect(() => decodeConfig({ store, tasks })).toThrow(
        /^store: the port of its address is from 1 to 65535$/,
      );
    }
    for (const store of ['postgres://u:99999@db:5432/tutti', 'postgres://u:99999@db/d', 'lmdb:a:99999'])
      expect(storeAddress(store)).toBeDefined();
    const cluster = { redis: 'redis://h:99999' };
    expect(() => decodeConfig({ store: 'postgres://db/d', cluster, tasks })).toThrow(
      'cluster.redis: the port',
    );
  });

  it.each(['mysql://u:secret@db/tutti', 'lmdb:', 'postgres:tutti', './.tutti', ''])('is not %j', (store) => {
    const tasks = [{ name: 'films', catalogue: { ids: ['a'] } }];
    expect(() => storeAddress(store)).toThrow('lmdb:FOLDER or postgres://');
    expect(() => decodeConfig({ store, tasks })).toThrow('store: lmdb:FOLDER or postgres://');
    expect(() => decodeConfig({ store, tasks })).not.toThrow('secret');
  });
});
