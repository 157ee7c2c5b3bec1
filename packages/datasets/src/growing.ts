/** A typed array that grows by doubling: a file says only at its end how many lines it has. */
export interface Growing<T extends Int32Array | Float64Array> {
  readonly length: number;
  push(value: number): void;
  /** The values so far, as an array of their exact length. */
  finish(): T;
}

/** Whole numbers. */
export function growingInts(): Growing<Int32Array> {
  return growing((length) => new Int32Array(length));
}

/** Any numbers. */
export function growingFloats(): Growing<Float64Array> {
  return growing((length) => new Float64Array(length));
}

function growing<T extends Int32Array | Float64Array>(make: (length: number) => T): Growing<T> {
  let values = make(1_024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(value) {
      if (length === values.length) {
        const larger = make(length * 2);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    finish: () => values.slice(0, length) as T,
  };
}
