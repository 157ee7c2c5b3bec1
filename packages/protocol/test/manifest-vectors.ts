import { canonicalJson, toHex } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { manifestDigest, promotionDigest, type Manifest, type Promotion } from '../src/manifest.ts';

/** Known answers for models on channels: manifests of a short lineage and the promotions that name them, as canonical JSON, hash and signature. */
export function buildManifestVectors(crypto: CryptoSuite): object {
  const seed = crypto.digest('manifest vectors');
  const key = crypto.signKeyPairFromSeed(Uint8Array.from(seed));
  const hash = (name: string): string => toHex(crypto.digest('vector', new TextEncoder().encode(name)));
  const signed = (digest: Uint8Array) => ({
    ...{ digest: toHex(digest), signature: toHex(crypto.sign(digest, key.secretKey)) },
  });
  const common = {
    v: 1,
    task: 'films',
    layoutHash: hash('layout'),
    catalogueHash: hash('catalogue'),
  } as const;
  const first: Manifest = {
    ...{ ...common, round: 0, kind: 'first', atMs: 1_700_000_000_000, modelHash: hash('first') },
    ...{ parent: null, cohort: null, epsilon: null, metrics: null },
  };
  const second: Manifest = {
    ...{ ...common, round: 1, kind: 'round', atMs: 1_700_000_060_000.5, modelHash: hash('second') },
    parent: toHex(manifestDigest(first, crypto)),
    cohort: { selected: 130, cohort: 112, reported: 107 },
    epsilon: { coordinator: 1.0625, readers: 0.1 },
    metrics: { hr10: 0.375, ndcg10: 1e-7, rmse: null, loss: 0.6931471805599453, evaluated: 103 },
  };
  const grown: Manifest = {
    ...{ ...common, round: 1, kind: 'catalogue', atMs: 1_700_000_120_000, modelHash: hash('grown') },
    ...{ catalogueHash: hash('more'), layoutHash: hash('longer') },
    parent: toHex(manifestDigest(second, crypto)),
    ...{ cohort: null, epsilon: null, metrics: null },
  };
  const promote: Promotion = {
    ...{ v: 1, task: 'films', channel: 'stable', sequence: 1, atMs: 1_700_000_090_000, by: 'ada' },
    manifest: toHex(manifestDigest(second, crypto)),
  };
  return {
    source: '@tutti/protocol, packages/protocol/test/manifest-vectors.ts',
    coordinator: { seed: toHex(seed), publicKey: toHex(key.publicKey) },
    manifests: [first, second, grown].map((manifest) => ({
      ...{ manifest, canonical: canonicalJson(manifest), ...signed(manifestDigest(manifest, crypto)) },
    })),
    promotions: [promote, { ...promote, sequence: 2, manifest: null }].map((promotion) => ({
      ...{ promotion, canonical: canonicalJson(promotion), ...signed(promotionDigest(promotion, crypto)) },
    })),
  };
}
