import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { buildManifestVectors } from '../test/manifest-vectors.ts';
import { openPromotion, type Manifest, type Promotion, type SignedPromotion } from './manifest.ts';

interface Vectors {
  readonly coordinator: { readonly publicKey: string };
  readonly manifests: readonly { manifest: Manifest; signature: string }[];
  readonly promotions: readonly { promotion: Promotion; signature: string }[];
}

describe('the test vectors of manifests', () => {
  it.each([nodeCrypto, portableCrypto])('are what $name gives', async (crypto) => {
    await expect(`${JSON.stringify(buildManifestVectors(crypto), null, 2)}\n`).toMatchFileSnapshot(
      '../../../vectors/manifests.json',
    );
  });
});

describe('what a channel has', () => {
  const { coordinator, manifests, promotions } = buildManifestVectors(nodeCrypto) as Vectors;
  const expected = { task: 'films', channel: 'stable', coordinatorKey: coordinator.publicKey } as const;
  const bundle: SignedPromotion = {
    promotion: promotions[0]!.promotion,
    promotionSignature: promotions[0]!.signature,
    manifest: manifests[1]!.manifest,
    manifestSignature: manifests[1]!.signature,
  };
  const open = (value: unknown, over: object = {}) =>
    openPromotion(value, { ...expected, ...over }, portableCrypto);

  it('is believed under the coordinator’s signatures, with a model and with none', () => {
    expect(open(bundle)).toEqual(bundle);
    const none = {
      ...{ promotion: promotions[1]!.promotion, promotionSignature: promotions[1]!.signature },
      ...{ manifest: null, manifestSignature: null },
    };
    expect(open(none)).toEqual(none);
  });

  const forged = 'ab'.repeat(64);
  const { manifest, promotion } = bundle;
  it.each<[string, unknown, string]>([
    ['another signature of the promotion', { ...bundle, promotionSignature: forged }, 'promotionSignature'],
    ['another signature of the manifest', { ...bundle, manifestSignature: forged }, 'manifestSignature'],
    [
      'a promotion that was altered',
      { ...bundle, promotion: { ...promotion, sequence: 9 } },
      'promotionSignature',
    ],
    [
      'a manifest that was altered',
      { ...bundle, manifest: { ...manifest, modelHash: '00'.repeat(32) } },
      'manifest',
    ],
    ['another manifest of the same task', { ...bundle, manifest: manifests[0]!.manifest }, 'manifest'],
    ['no manifest where one is named', { ...bundle, manifest: null }, 'manifest'],
    ['a field more', { ...bundle, promotion: { ...promotion, note: 1 } }, 'promotion.note'],
    ['figures that are none', { ...bundle, manifest: { ...manifest, round: -1 } }, 'manifest.round'],
    ['nothing', undefined, 'channel'],
  ])('is refused with %s', (_, value, field) => {
    expect(() => open(value)).toThrow(field);
  });

  it('is refused for another task, another channel, and under another key', () => {
    expect(() => open(bundle, { task: 'books' })).toThrow('is of films stable');
    expect(() => open(bundle, { channel: 'canary' })).toThrow('is of films stable');
    expect(() => open(bundle, { coordinatorKey: '11'.repeat(32) })).toThrow('promotionSignature');
  });
});
