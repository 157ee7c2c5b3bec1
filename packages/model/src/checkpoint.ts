import {
  decodeTensors,
  encodeTensors,
  metadataOf,
  type NamedTensor,
  type ReadTensors,
  type TensorForm,
} from './tensors.ts';
import type { SharedLayout } from './types.ts';

/** The shared part's tensors, as safetensors holds them. Only the shared part is ever written. */
export function sharedForms(layout: SharedLayout): TensorForm[] {
  return layout.parameters.map(({ name, shape }) => ({ name, shape, dtype: 'F32' }));
}

/** The same with their numbers: views of `shared`. */
export function sharedTensors(layout: SharedLayout, shared: Float32Array): NamedTensor[] {
  return layout.parameters.map(({ name, shape, offset, length }) => ({
    name,
    shape,
    dtype: 'F32',
    data: shared.subarray(offset, offset + length),
  }));
}

/** A checkpoint as bytes; equal weights and metadata give equal bytes, so that its hash names it. */
export function encodeCheckpoint(options: {
  layout: SharedLayout;
  shared: Float32Array;
  metadata: Readonly<Record<string, string>>;
}): Uint8Array {
  const { layout, shared, metadata } = options;
  return encodeTensors(sharedTensors(layout, shared), metadata);
}

/**
 * The weights of a checkpoint from outside, for exactly this layout.
 * @throws {DecodeError} naming the tensor or part that does not fit, or holds a number that is not finite.
 */
export function decodeWeights(bytes: unknown, layout: SharedLayout): { shared: Float32Array } {
  const tensors = decodeTensors(bytes, sharedForms(layout), 'checkpoint');
  return { shared: weightsOf(tensors, layout) };
}

/** The same with what is said of it. @throws {DecodeError} as {@link decodeWeights}. */
export function decodeCheckpoint(
  bytes: unknown,
  layout: SharedLayout,
): { shared: Float32Array; metadata: Record<string, string> } {
  const tensors = decodeTensors(bytes, sharedForms(layout), 'checkpoint');
  return { shared: weightsOf(tensors, layout), metadata: metadataOf(tensors.header, 'checkpoint') };
}

/** The shared part, of tensors that have its layout. */
export function weightsOf(tensors: ReadTensors, layout: SharedLayout): Float32Array {
  const shared = new Float32Array(layout.length);
  for (const { name, offset, length } of layout.parameters)
    tensors.floats(name, shared.subarray(offset, offset + length));
  return shared;
}
