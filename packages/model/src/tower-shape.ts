import type { TowerConfig } from './types.ts';

/** Hidden layers over a block of the person's and of the item's vector. */
export interface DeepTower {
  /** First number of the block in a vector. */
  readonly from: number;
  readonly size: number;
  /** Whether the layers see person∘item too. */
  readonly products: boolean;
  readonly hidden: readonly number[];
}

/**
 * What a neural family is made of: logit = k·(p∘q) over the first `product` numbers of both vectors + o·MLP over the deep
 * block + the item's bias. A family without a deep tower still has the constant of the output.
 */
export interface TowerShape {
  /** Length of a person's and an item's vector. */
  readonly width: number;
  /** Numbers of the product tower, from the first; 0 for none. */
  readonly product: number;
  readonly deep?: DeepTower;
}

/** The towers of a family. */
export function towerShape(config: TowerConfig): TowerShape {
  const { dimension: size } = config;
  switch (config.family) {
    case 'gmf':
      return { width: size, product: size };
    case 'mlp':
      return {
        width: size,
        product: size,
        deep: { from: 0, size, products: true, hidden: config.hidden },
      };
    case 'neumf':
      return {
        width: 2 * size,
        product: size,
        deep: { from: size, size, products: false, hidden: config.hidden },
      };
  }
}
