import { createHash } from 'node:crypto';
import type { SplitDataset } from '@tutti/datasets';

/** Of the items' ids in their order: the rows of a checkpoint are theirs. SHA-256, hexadecimal. */
export const itemsHash = ({ catalogue }: Pick<SplitDataset, 'catalogue'>): string =>
  createHash('sha256').update(JSON.stringify(catalogue.ids)).digest('hex');
